#include "base/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/error.h"

namespace assay {
namespace {

constexpr uint64_t kMapFrom = uint64_t{64} << 20;

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  ~FileDescriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

Error CannotWrite(const std::string& path, int error) {
  return InputError("{}: cannot write: {}", path, std::strerror(error));
}

// Where a file's bytes go. A link stays a link: what it points to is replaced. Devices and pipes (/dev/stdout) are
// written to, never replaced.
struct Destination {
  explicit Destination(const std::string& named) : path(named) {
    static std::atomic<unsigned> counter{0};
    if (path.empty()) throw CannotWrite(path, ENOENT);
    std::error_code ignored;
    const std::filesystem::path resolved = std::filesystem::canonical(path, ignored);
    target = resolved.empty() ? path : resolved.string();
    struct stat status = {};
    const bool exists = ::stat(target.c_str(), &status) == 0;
    if (exists && S_ISDIR(status.st_mode)) throw InputError("{}: cannot write: is a folder", path);
    in_place = exists && !S_ISREG(status.st_mode);
    written = in_place ? target : fmt::format("{}.{}.{}.part", target, ::getpid(), counter++);
  }
  FileDescriptor Open() const {
    const int fd = ::open(written.c_str(), O_WRONLY | O_CLOEXEC | (in_place ? 0 : O_CREAT | O_EXCL), 0644);
    if (fd < 0) throw CannotWrite(path, errno);
    return FileDescriptor(fd);
  }

  std::string path, target, written;  // `written` is renamed to `target` unless it is that
  bool in_place;
};

}  // namespace

std::shared_ptr<const MappedFile> MappedFile::Open(const std::string& path, uint64_t max_bytes) {
  const FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (fd.get() < 0) throw InputError("{}: cannot open: {}", path, std::strerror(errno));
  struct stat status = {};
  if (::fstat(fd.get(), &status) != 0) throw InputError("{}: cannot read its size: {}", path, std::strerror(errno));
  if (S_ISDIR(status.st_mode)) throw InputError("{}: is a folder, not a file", path);
  if (!S_ISREG(status.st_mode)) throw InputError("{}: is not a regular file", path);
  const auto size = static_cast<uint64_t>(status.st_size);
  if (size > max_bytes) throw InputError("{}: has {} bytes; the limit is {}", path, size, max_bytes);
  std::shared_ptr<MappedFile> file(new MappedFile());
  file->size_ = size;
  if (size >= kMapFrom) {
    void* mapping = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd.get(), 0);
    if (mapping == MAP_FAILED) throw InputError("{}: cannot map: {}", path, std::strerror(errno));
    file->mapping_ = mapping;
    file->data_ = static_cast<const uint8_t*>(mapping);
    return file;
  }
  file->copy_ = std::make_unique_for_overwrite<uint8_t[]>(size + 1);
  uint64_t done = 0;
  while (done < size) {
    const ssize_t got = ::read(fd.get(), file->copy_.get() + done, size - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw InputError("{}: cannot read: {}", path, std::strerror(errno));
    if (got == 0) break;
    done += static_cast<uint64_t>(got);
  }
  file->size_ = done;
  file->data_ = file->copy_.get();
  return file;
}

MappedFile::~MappedFile() {
  if (mapping_ != nullptr) ::munmap(mapping_, size_);
}

void WriteFileAtomically(const std::string& path, std::span<const uint8_t> bytes) {
  WriteFileAtomically(path, std::span<const std::span<const uint8_t>>(&bytes, 1));
}

void WriteFileAtomically(const std::string& path, std::span<const std::span<const uint8_t>> pieces) {
  const Destination to(path);
  FileDescriptor fd = to.Open();
  const auto give_up = [&](int error) {
    if (!to.in_place) ::unlink(to.written.c_str());
    throw CannotWrite(path, error);
  };
  for (const std::span<const uint8_t> bytes : pieces) {
    size_t done = 0;
    while (done < bytes.size()) {
      const ssize_t put = ::write(fd.get(), bytes.data() + done, bytes.size() - done);
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) give_up(errno);
      done += static_cast<size_t>(put);
    }
  }
  if (::close(fd.release()) != 0) give_up(errno);
  if (!to.in_place && ::rename(to.written.c_str(), to.target.c_str()) != 0) give_up(errno);
}

void CheckWritable(const std::string& path) {
  const Destination to(path);
  // A pipe's reader would take its opening and closing for all there is.
  if (to.in_place) {
    if (::access(to.target.c_str(), W_OK) != 0) throw CannotWrite(path, errno);
    return;
  }
  to.Open();
  ::unlink(to.written.c_str());
}

void WriteFileAtomically(const std::string& path, const std::string& text) {
  WriteFileAtomically(path, {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}

std::string ReadTextFile(const std::string& path, uint64_t max_bytes) {
  const auto file = MappedFile::Open(path, max_bytes);
  return {reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size()};
}

}  // namespace assay
