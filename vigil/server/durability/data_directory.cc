// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/durability/data_directory.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <string_view>

#include "vigil/base/files.h"
#include "vigil/orders/transition_table.h"

namespace vigil::server {

namespace {

constexpr std::size_t kStatusesBytesMax = std::size_t{64} << 10;

// A status may hold any byte; the one that ends a line and the one that escapes are escaped.
std::string escaped(std::string_view name) {
  std::string line;
  for (const char c : name) {
    if (c == '\n') {
      line += "\\n";
    } else if (c == '\\') {
      line += "\\\\";
    } else {
      line += c;
    }
  }
  return line;
}

std::string unescaped(std::string_view line) {
  std::string name;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const bool escape = line[i] == '\\' && i + 1 < line.size();
    if (!escape) {
      name += line[i];
    } else {
      name += line[++i] == 'n' ? '\n' : line[i];
    }
  }
  return name;
}

Result<std::vector<std::string>> read_statuses(const std::string& path) {
  std::error_code error;
  std::vector<std::string> names;
  if (!std::filesystem::exists(path, error)) return names;
  const Result<std::string> text = read_file(path, kStatusesBytesMax);
  if (!text) return text.error();
  std::string_view rest = *text;
  for (std::size_t end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
    names.push_back(unescaped(rest.substr(0, end)));
    rest.remove_prefix(end + 1);
  }
  if (rest.empty()) return names;
  return Error{path + ": does not end with a line; it is damaged, restore it from a backup"};
}

Result<void> write_statuses(const std::string& path, const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text.append(escaped(name)).append("\n");
  return write_file(path, text);
}

// Numbers the statuses as they are stored, and stores those that are new.
Result<std::vector<std::string>> continue_statuses(const log::Directory& directory,
                                                   orders::TransitionTable* table) {
  const std::string path = directory.path_of("STATUSES");
  const Result<std::vector<std::string>> stored = read_statuses(path);
  if (!stored) return stored.error();
  if (stored->empty() && directory.run()) {
    return Error{path +
                 ": is missing, and without it stored orders have no statuses; restore it "
                 "from a backup of the folder"};
  }
  std::vector<std::string> lost;
  std::copy_if(stored->begin(), stored->end(), std::back_inserter(lost),
               [&](const std::string& name) { return !table->find(name); });
  Result<orders::TransitionTable> numbered = table->numbered_as(*stored);
  if (!numbered) return numbered.error().while_doing("reading " + path);
  *table = *std::move(numbered);
  if (table->names() != *stored) {
    if (Result<void> written = write_statuses(path, table->names()); !written) {
      return written.error();
    }
  }
  return lost;
}

}  // namespace

Result<std::unique_ptr<DataDirectory>> DataDirectory::open(ServerOptions* options) {
  Result<std::unique_ptr<log::Directory>> log = log::Directory::open(options->data_dir);
  if (!log) return log.error();
  const log::Directory& directory = **log;
  if (options->durability.mode == "off" && directory.run()) {
    return Error{directory.path() +
                 ": holds a log, which durability.mode \"off\" would leave aside; use another "
                 "folder, or \"always\" or \"everysec\""};
  }
  Result<std::vector<std::string>> lost = continue_statuses(directory, &options->orders.table);
  if (!lost) return lost.error();
  options->orders.idempotency_secret.assign(directory.secret().begin(), directory.secret().end());
  return std::unique_ptr<DataDirectory>(new DataDirectory(*std::move(log), *std::move(lost)));
}

}  // namespace vigil::server
