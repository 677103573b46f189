#include "net/egress.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <string>

namespace cronally::net {
namespace {

bool allowed(const std::string& text) {
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  if (::inet_pton(AF_INET, text.c_str(), &v4.sin_addr) == 1) {
    return egress_allowed(reinterpret_cast<const sockaddr*>(&v4));
  }
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  EXPECT_EQ(::inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr), 1) << text;
  return egress_allowed(reinterpret_cast<const sockaddr*>(&v6));
}

TEST(Egress, RefusesLinkLocalAndMetadataAddresses) {
  for (const char* text :
       {"169.254.169.254", "169.254.170.2", "169.254.170.23", "169.254.0.0", "169.254.255.255",
        "168.63.129.16", "100.100.100.200", "fe80::1", "febf::1", "fd00:ec2::254",
        // the same inside IPv6: mapped, compatible, NAT64, 6to4
        "::ffff:169.254.169.254", "::ffff:168.63.129.16", "::169.254.169.254",
        "64:ff9b::169.254.169.254", "64:ff9b::100.100.100.200", "2002:a9fe:a9fe::1"}) {
    EXPECT_FALSE(allowed(text)) << text;
  }
}

TEST(Egress, AllowsLoopbackPrivateAndPublicAddresses) {
  for (const char* text :
       {"127.0.0.1", "::1", "10.1.2.3", "192.168.0.1", "172.16.0.1", "100.100.100.201", "8.8.8.8",
        "169.253.255.255", "169.255.0.0", "::ffff:127.0.0.1", "fd00:ec2::253", "fec0::1",
        "2606:4700::1111", "64:ff9b::8.8.8.8", "2002:0808:0808::1"}) {
    EXPECT_TRUE(allowed(text)) << text;
  }
}

TEST(Egress, RefusesOtherFamilies) {
  sockaddr local{};
  local.sa_family = AF_UNIX;
  EXPECT_FALSE(egress_allowed(&local));
}

}  // namespace
}  // namespace cronally::net
