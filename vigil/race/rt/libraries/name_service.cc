// SPDX-License-Identifier: Apache-2.0
//
// Names of hosts, services, users and groups: the C library asks modules of its configuration for
// them, under a lock of its own. Closed boxes.
#include <grp.h>
#include <netdb.h>
#include <pwd.h>

#include <cstring>

#include "vigil/race/rt/detector/detector.h"
#include "vigil/race/rt/intercept/interceptor.h"
#include "vigil/race/rt/world/accesses.h"
#include "vigil/race/rt/world/library_call.h"
#include "vigil/race/rt/world/real_function.h"

namespace vigil::race {

VIGIL_INTERCEPTOR void freeaddrinfo(addrinfo* first) noexcept {
  static constinit Real<void (*)(addrinfo*)> real("freeaddrinfo");
  for (const addrinfo* each = first; each != nullptr; each = each->ai_next) {
    write_range(each, sizeof *each, VIGIL_CALLER_PC);
  }
  const LibraryCall call(VIGIL_CALLER_PC);
  real(first);
}

// NOLINTBEGIN(bugprone-macro-parentheses): the arguments are types and lists with their own.
#define VIGIL_NAME_SERVICE(result, name, parameters, arguments) \
  VIGIL_INTERCEPTOR result name parameters {                    \
    static constinit Real<result(*) parameters> real(#name);    \
    const LibraryCall call(VIGIL_CALLER_PC);                    \
    return real arguments;                                      \
  }
// NOLINTEND(bugprone-macro-parentheses)

// ---- hosts and services

VIGIL_NAME_SERVICE(int, getaddrinfo,
                   (const char* host, const char* service, const addrinfo* hints, addrinfo** found),
                   (host, service, hints, found))
VIGIL_NAME_SERVICE(int, getnameinfo,
                   (const sockaddr* address, socklen_t size, char* host, socklen_t host_size,
                    char* service, socklen_t service_size, int flags),
                   (address, size, host, host_size, service, service_size, flags))
VIGIL_NAME_SERVICE(hostent*, gethostbyname, (const char* name), (name))
VIGIL_NAME_SERVICE(hostent*, gethostbyname2, (const char* name, int family), (name, family))
VIGIL_NAME_SERVICE(hostent*, gethostbyaddr, (const void* address, socklen_t size, int family),
                   (address, size, family))
VIGIL_NAME_SERVICE(int, gethostbyname_r,
                   (const char* name, hostent* entry, char* buffer, size_t size, hostent** found,
                    int* error),
                   (name, entry, buffer, size, found, error))
VIGIL_NAME_SERVICE(int, gethostbyname2_r,
                   (const char* name, int family, hostent* entry, char* buffer, size_t size,
                    hostent** found, int* error),
                   (name, family, entry, buffer, size, found, error))
VIGIL_NAME_SERVICE(int, gethostbyaddr_r,
                   (const void* address, socklen_t length, int family, hostent* entry, char* buffer,
                    size_t size, hostent** found, int* error),
                   (address, length, family, entry, buffer, size, found, error))
VIGIL_NAME_SERVICE(servent*, getservbyname, (const char* name, const char* protocol),
                   (name, protocol))
VIGIL_NAME_SERVICE(servent*, getservbyport, (int port, const char* protocol), (port, protocol))
VIGIL_NAME_SERVICE(int, getservbyname_r,
                   (const char* name, const char* protocol, servent* entry, char* buffer,
                    size_t size, servent** found),
                   (name, protocol, entry, buffer, size, found))
VIGIL_NAME_SERVICE(int, getservbyport_r,
                   (int port, const char* protocol, servent* entry, char* buffer, size_t size,
                    servent** found),
                   (port, protocol, entry, buffer, size, found))
VIGIL_NAME_SERVICE(protoent*, getprotobyname, (const char* name), (name))
VIGIL_NAME_SERVICE(int, getprotobyname_r,
                   (const char* name, protoent* entry, char* buffer, size_t size, protoent** found),
                   (name, entry, buffer, size, found))

// ---- users and groups

VIGIL_NAME_SERVICE(passwd*, getpwnam, (const char* name), (name))
VIGIL_NAME_SERVICE(passwd*, getpwuid, (uid_t user), (user))
VIGIL_NAME_SERVICE(int, getpwnam_r,
                   (const char* name, passwd* entry, char* buffer, size_t size, passwd** found),
                   (name, entry, buffer, size, found))
VIGIL_NAME_SERVICE(int, getpwuid_r,
                   (uid_t user, passwd* entry, char* buffer, size_t size, passwd** found),
                   (user, entry, buffer, size, found))
VIGIL_NAME_SERVICE(group*, getgrnam, (const char* name), (name))
VIGIL_NAME_SERVICE(group*, getgrgid, (gid_t number), (number))
VIGIL_NAME_SERVICE(int, getgrnam_r,
                   (const char* name, group* entry, char* buffer, size_t size, group** found),
                   (name, entry, buffer, size, found))
VIGIL_NAME_SERVICE(int, getgrgid_r,
                   (gid_t number, group* entry, char* buffer, size_t size, group** found),
                   (number, entry, buffer, size, found))
VIGIL_NAME_SERVICE(int, getgrouplist, (const char* user, gid_t group, gid_t* groups, int* count),
                   (user, group, groups, count))
VIGIL_NAME_SERVICE(int, initgroups, (const char* user, gid_t group), (user, group))

}  // namespace vigil::race
