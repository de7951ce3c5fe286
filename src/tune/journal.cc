#include "tune/journal.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/error.h"
#include "base/mapped_file.h"

namespace assay::tune {
namespace {

constexpr const char* kMark = "assay tune";

std::string Shown(const nlohmann::json& value) {
  return value.is_string() ? "'" + value.get<std::string>() + "'" : value.dump();
}

}  // namespace

Journal::Journal(std::string folder, const nlohmann::ordered_json& identity) : folder_(std::move(folder)) {
  std::error_code error;
  const auto status = std::filesystem::status(folder_, error);
  if (std::filesystem::exists(status) && !std::filesystem::is_directory(status)) {
    throw InputError("{}: is a file; tune needs a folder to write to", folder_);
  }
  std::filesystem::create_directories(folder_, error);
  if (error) throw InputError("{}: cannot create the folder: {}", folder_, error.message());
  path_ = (std::filesystem::path(folder_) / "tune.journal").string();
  fd_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (fd_ < 0) throw InputError("{}: cannot write: {}", path_, std::strerror(errno));
  struct stat facts = {};
  if (::fstat(fd_, &facts) != 0 || !S_ISREG(facts.st_mode)) {
    ::close(fd_);
    throw InputError("{}: is no regular file", path_);
  }
  if (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
    ::close(fd_);
    throw InputError("{}: another tune is at work in this folder; wait for it or name another one", folder_);
  }
  try {
    Read(identity);
  } catch (...) {
    ::close(fd_);
    throw;
  }
}

Journal::~Journal() { ::close(fd_); }

void Journal::Read(const nlohmann::ordered_json& identity) {
  const std::string text = ReadTextFile(path_);
  size_t start = 0, line_number = 0;
  bool has_identity = false;
  while (start < text.size()) {
    const size_t end = text.find('\n', start);
    if (end == std::string::npos) break;  // the writer was killed within its last line
    ++line_number;
    const auto line = nlohmann::json::parse(text.begin() + static_cast<std::ptrdiff_t>(start),
                                            text.begin() + static_cast<std::ptrdiff_t>(end), nullptr, false);
    start = end + 1;
    const bool is_first = line_number == 1;
    if (!line.is_object() ||
        (is_first ? !line.contains(kMark) || !line[kMark].is_object()
                  : !line.contains("name") || !line["name"].is_string() || !line.contains("value"))) {
      throw InputError("{}: line {} is not of a journal of tune; remove the file, or name another folder", path_,
                       line_number);
    }
    if (!is_first) {
      entries_[line["name"].get<std::string>()] = line["value"];
      continue;
    }
    has_identity = true;
    for (const auto& [key, value] : identity.items()) {
      const nlohmann::json now = value;
      const nlohmann::json then = line[kMark].contains(key) ? line[kMark][key] : nlohmann::json();
      if (now == then) continue;
      throw InputError(
          "{}: holds what another run measured: {} was {}, is {}; name another folder, or remove the journal to start "
          "anew",
          path_, key, Shown(then), Shown(now));
    }
  }
  if (start < text.size() && ::ftruncate(fd_, static_cast<off_t>(start)) != 0) {
    throw InputError("{}: cannot write: {}", path_, std::strerror(errno));
  }
  if (!has_identity) {
    nlohmann::ordered_json line;
    line[kMark] = identity;
    Append(line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  }
}

const nlohmann::json* Journal::Find(const std::string& name) const {
  const auto found = entries_.find(name);
  return found == entries_.end() ? nullptr : &found->second;
}

void Journal::Note(const std::string& name, const nlohmann::json& value) {
  entries_[name] = value;
  Append(
      nlohmann::json{{"name", name}, {"value", value}}.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

void Journal::Append(const std::string& line) {
  const std::string text = line + "\n";
  size_t done = 0;
  while (done < text.size()) {
    const ssize_t put = ::write(fd_, text.data() + done, text.size() - done);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) throw InputError("{}: cannot write: {}", path_, std::strerror(errno));
    done += static_cast<size_t>(put);
  }
}

}  // namespace assay::tune
