#include "net/curl_version.h"

#include <curl/curl.h>

namespace cronally::net {

std::string curl_version() {
  const curl_version_info_data* info = curl_version_info(CURLVERSION_NOW);
  std::string text = info->version;
  if (info->ssl_version) text += std::string(" ") + info->ssl_version;
  return text;
}

}  // namespace cronally::net
