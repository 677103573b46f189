// Which addresses deliveries never reach: link-local ones and the clouds' metadata services,
// which give credentials to whoever asks from the host. Judged on the resolved address.
//
// Refused: 169.254.0.0/16 (AWS, GCP, Azure, ECS 169.254.170.2, EKS 169.254.170.23), fe80::/10,
// fd00:ec2::254 (AWS over IPv6), 168.63.129.16 (Azure), 100.100.100.200 (Alibaba), and those IPv4
// addresses embedded in IPv6: mapped ::ffff:0:0/96, compatible ::/96, NAT64 64:ff9b::/96 and 6to4
// 2002::/16. Loopback and private addresses are allowed.
#pragma once

#include <sys/socket.h>

namespace cronally::net {

// False for the addresses above and for families other than IPv4 and IPv6.
bool egress_allowed(const sockaddr* address);

}  // namespace cronally::net
