# The version that `cronally version` prints and that deliveries carry as User-Agent.
target_compile_definitions(cronally_cli PUBLIC CRONALLY_VERSION="${PROJECT_VERSION}"
                           CRONALLY_RELEASED="${CRONALLY_RELEASED}")
