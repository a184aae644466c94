// SPDX-License-Identifier: Apache-2.0
//
// The functions that the GNU C library's manual marks MT-Safe and that keep something inside: three
// threads call each at once. Nothing of that is a race of the program.
#include <arpa/inet.h>
#include <dirent.h>
#include <dlfcn.h>
#include <execinfo.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <ftw.h>
#include <glob.h>
#include <grp.h>
#include <iconv.h>
#include <ifaddrs.h>
#include <langinfo.h>
#include <libintl.h>
#include <link.h>
#include <locale.h>
#include <malloc.h>
#include <mntent.h>
#include <net/if.h>
#include <netdb.h>
#include <nl_types.h>
#include <pthread.h>
#include <pwd.h>
#include <regex.h>
#include <search.h>
#include <semaphore.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>
#include <wchar.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>

#include "tests/races/platform/checks.h"

namespace {

constexpr int kThreads = 3;
constexpr int kTurns = 20;

void in_parallel(void (*call)()) {
  pthread_t threads[kThreads];
  for (pthread_t& thread : threads) {
    pthread_create(
        &thread, nullptr,
        [](void* given) -> void* {
          const auto function = reinterpret_cast<void (*)()>(given);
          for (int turn = 0; turn < kTurns; ++turn) function();
          return nullptr;
        },
        reinterpret_cast<void*>(call));
  }
  for (const pthread_t thread : threads) pthread_join(thread, nullptr);
}

// What the compiler must not leave out.
template <class T>
void use(const T& value) {
  __asm__ volatile("" : : "m"(value) : "memory");
}

std::size_t read_all(const char* text) { return text == nullptr ? 0 : std::strlen(text); }

int ignore_entry(const char*, const struct stat*, int) { return 0; }
int order(const void* a, const void* b) {
  return std::strcmp(*static_cast<char* const*>(a), *static_cast<char* const*>(b));
}

void look_up_host() {
  addrinfo hints = {};
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* found = nullptr;
  if (getaddrinfo("localhost", "80", &hints, &found) != 0) return;
  char host[256];
  getnameinfo(found->ai_addr, found->ai_addrlen, host, sizeof host, nullptr, 0, 0);
  freeaddrinfo(found);
}

template <class Entry, class Call>
void look_up(Call call) {
  Entry entry = {};
  Entry* found = nullptr;
  char buffer[4096];
  call(&entry, buffer, sizeof buffer, &found);
  use(found);
}

void convert_time() {
  const time_t now = time(nullptr);
  tm parts = {};
  localtime_r(&now, &parts);
  EXPECT(read_all(parts.tm_zone) > 0);
  char text[64];
  strftime(text, sizeof text, "%c %Z", &parts);
  use(mktime(&parts));
  gmtime_r(&now, &parts);
  use(timegm(&parts));
  tzset();
  EXPECT(read_all(tzname[0]) > 0);
}

void convert_characters() {
  const iconv_t converter = iconv_open("UTF-16", "UTF-8");
  if (converter == reinterpret_cast<iconv_t>(-1)) return;
  char from[] = "text";
  char to[64];
  char* in = from;
  char* out = to;
  std::size_t left = 4;
  std::size_t room = sizeof to;
  iconv(converter, &in, &left, &out, &room);
  iconv_close(converter);
}

void match_expression() {
  regex_t expression;
  EXPECT(regcomp(&expression, "a+b", REG_EXTENDED) == 0);
  EXPECT(regexec(&expression, "xaab", 0, nullptr, 0) == 0);
  regfree(&expression);
}

void find_files() {
  glob_t found;
  EXPECT(glob("/etc/h*", 0, nullptr, &found) == 0);
  globfree(&found);
}

void list_folder() {
  dirent** entries = nullptr;
  const int count = scandir("/etc", &entries, nullptr, alphasort);
  for (int index = 0; index < count; ++index) std::free(entries[index]);
  std::free(entries);
}

void keep_a_tree() {
  void* root = nullptr;
  static const char* const names[] = {"b", "a", "c"};
  for (const char* const& name : names) tsearch(&name, &root, order);
  tdestroy(root, [](void*) {});
  hsearch_data table = {};
  EXPECT(hcreate_r(8, &table) != 0);
  hdestroy_r(&table);
}

void print_and_scan() {
  char* text = nullptr;
  errno = ENOENT;
  EXPECT(asprintf(&text, "%d %m %f", 1, 2.5) > 0);
  int number = 0;
  EXPECT(std::sscanf(text, "%d", &number) == 1);
  std::free(text);
  std::fprintf(stderr, "%s", "");
}

void use_streams() {
  char* text = nullptr;
  std::size_t size = 0;
  std::FILE* const memory = open_memstream(&text, &size);
  std::fprintf(memory, "line\nline\n");
  std::fclose(memory);
  std::FILE* const again = fmemopen(text, size, "r");
  char* line = nullptr;
  std::size_t room = 0;
  while (getline(&line, &room, again) > 0) {
  }
  std::fclose(again);
  std::free(line);
  std::free(text);
}

void use_locales() {
  const locale_t locale = newlocale(LC_ALL_MASK, "C", nullptr);
  const locale_t before = uselocale(locale);
  EXPECT(read_all(nl_langinfo(CODESET)) > 0);
  EXPECT(read_all(strerror_l(ENOENT, locale)) > 0);
  uselocale(before);
  freelocale(locale);
}

void load_a_library() {
  void* const library = dlopen("libm.so.6", RTLD_NOW);
  EXPECT(library != nullptr && dlsym(library, "cos") != nullptr);
  EXPECT(dlsym(library, "no_such_function") == nullptr && read_all(dlerror()) > 0);
  dlclose(library);
}

void look_at_the_stack() {
  void* frames[16];
  const int count = backtrace(frames, 16);
  char** names = backtrace_symbols(frames, count);
  EXPECT(names != nullptr && read_all(names[0]) > 0);
  std::free(names);
}

void keep_thread_data() {
  pthread_key_t key = 0;
  EXPECT(pthread_key_create(&key, std::free) == 0);
  pthread_setspecific(key, std::malloc(8));
  std::free(pthread_getspecific(key));
  pthread_setspecific(key, nullptr);
  pthread_key_delete(key);
  pthread_attr_t attributes;
  EXPECT(pthread_getattr_np(pthread_self(), &attributes) == 0);
  pthread_attr_destroy(&attributes);
}

void name_a_semaphore() {
  const std::string name = "/vigil_" + std::to_string(getpid());
  sem_t* const semaphore = sem_open(name.c_str(), O_CREAT, 0600, 1);
  EXPECT(semaphore != SEM_FAILED);
  sem_close(semaphore);
}

void list_interfaces() {
  if (struct if_nameindex* const names = if_nameindex()) if_freenameindex(names);
  ifaddrs* addresses = nullptr;
  if (getifaddrs(&addresses) == 0) freeifaddrs(addresses);
}

void resolve_paths() {
  char* const path = realpath("/etc/../etc", nullptr);
  EXPECT(read_all(path) == 4);
  std::free(path);
  char* const here = getcwd(nullptr, 0);
  EXPECT(read_all(here) > 0);
  std::free(here);
  char folder[] = "/tmp/vigil_XXXXXX";
  EXPECT(mkdtemp(folder) != nullptr);
  rmdir(folder);
}

void read_mounts() {
  std::FILE* const table = setmntent("/proc/mounts", "r");
  mntent entry = {};
  char buffer[4096];
  getmntent_r(table, &entry, buffer, sizeof buffer);
  endmntent(table);
}

#define CALL(name, statement)                    \
  Check {                                        \
    name, [] { in_parallel([] { statement; }); } \
  }

const Check kChecks[] = {
    CALL("strerror", EXPECT(read_all(strerror(9999)) > 0)),
    CALL("strerror_r", char text[64]; use(strerror_r(9999, text, sizeof text))),
    CALL("strsignal", EXPECT(read_all(strsignal(SIGRTMIN + 1)) > 0)),
    CALL("gai_strerror", EXPECT(read_all(gai_strerror(EAI_AGAIN)) > 0)),
    CALL("getaddrinfo", look_up_host()),
    CALL("gethostbyname_r",
         look_up<hostent>([](auto* entry, char* buffer, auto size, auto** found) {
           int error = 0;
           return gethostbyname_r("localhost", entry, buffer, size, found, &error);
         })),
    CALL("getpwnam_r", look_up<passwd>([](auto* entry, char* buffer, auto size, auto** found) {
           return getpwnam_r("root", entry, buffer, size, found);
         })),
    CALL("getpwuid_r", look_up<passwd>([](auto* entry, char* buffer, auto size, auto** found) {
           return getpwuid_r(0, entry, buffer, size, found);
         })),
    CALL("getgrnam_r", look_up<group>([](auto* entry, char* buffer, auto size, auto** found) {
           return getgrnam_r("root", entry, buffer, size, found);
         })),
    CALL("getgrgid_r", look_up<group>([](auto* entry, char* buffer, auto size, auto** found) {
           return getgrgid_r(0, entry, buffer, size, found);
         })),
    CALL("getservbyname_r",
         look_up<servent>([](auto* entry, char* buffer, auto size, auto** found) {
           return getservbyname_r("http", "tcp", entry, buffer, size, found);
         })),
    CALL("getprotobyname_r",
         look_up<protoent>([](auto* entry, char* buffer, auto size, auto** found) {
           return getprotobyname_r("tcp", entry, buffer, size, found);
         })),
    CALL("localtime_r", convert_time()),
    CALL("iconv", convert_characters()),
    CALL("regcomp", match_expression()),
    CALL("glob", find_files()),
    CALL("scandir", list_folder()),
    CALL("ftw", ftw("/etc/init.d", ignore_entry, 4)),
    CALL("tsearch", keep_a_tree()),
    CALL("asprintf", print_and_scan()),
    CALL("open_memstream", use_streams()),
    CALL("newlocale", use_locales()),
    CALL("gettext", EXPECT(read_all(gettext("no such text")) > 0)),
    CALL("catopen", catclose(catopen("no_such_catalogue", 0))),
    CALL("dlopen", load_a_library()),
    CALL("dladdr", Dl_info info; dladdr(reinterpret_cast<void*>(&in_parallel), &info)),
    CALL("backtrace", look_at_the_stack()),
    CALL("pthread_key_create", keep_thread_data()),
    CALL("sem_open", name_a_semaphore()),
    CALL("if_nameindex", list_interfaces()),
    CALL("inet_ntoa", EXPECT(read_all(inet_ntoa({0x100007f})) == 9)),
    CALL("realpath", resolve_paths()),
    CALL("setmntent", read_mounts()),
    CALL("random", use(random()); use(rand()); use(lrand48())),
    CALL("getenv", use(read_all(getenv("PATH")))),
    CALL("strtod", use(std::strtod("1.25e10", nullptr)); use(std::strtol("12", nullptr, 10))),
    CALL("fnmatch", EXPECT(fnmatch("*.c", "a.c", 0) == 0)),
    CALL("sysconf", use(sysconf(_SC_NPROCESSORS_ONLN))),
    CALL("mallinfo", use(malloc_usable_size(nullptr))),
    CALL("syslog", openlog("vigil", LOG_NDELAY, LOG_USER); syslog(LOG_DEBUG, "%s", ""); closelog()),
};

}  // namespace

int main(int argc, char** argv) { return run_checks(argc, argv, kChecks); }
