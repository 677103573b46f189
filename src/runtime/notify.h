// Tells systemd (Type=notify, sd_notify(3)) how the service is: one datagram to $NOTIFY_SOCKET.
#pragma once

#include <string_view>

namespace cronally::runtime {

// Sends lines such as "READY=1", "STOPPING=1", "STATUS=serving on 127.0.0.1:8787". False when no
// manager asked for it or the socket cannot be reached; nothing depends on that.
bool notify(std::string_view state);

inline bool notify_ready() { return notify("READY=1"); }
inline bool notify_stopping() { return notify("STOPPING=1"); }

}  // namespace cronally::runtime
