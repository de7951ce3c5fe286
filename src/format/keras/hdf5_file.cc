#include "format/keras/hdf5_file.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/module_path.h"

#if defined(__SANITIZE_ADDRESS__)
#define ASSAY_HAS_SHADOW_MEMORY 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ASSAY_HAS_SHADOW_MEMORY 1
#endif
#endif

namespace assay::keras {
namespace {

constexpr const char* kModule = "assay_hdf5.so";

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() { Close(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  void Close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
};

// A private mapping of a descriptor that nobody else holds any more.
std::shared_ptr<const void> MapDescriptor(int fd, uint64_t size) {
  void* mapping = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (mapping == MAP_FAILED) throw InputError("cannot map the unpacked data: {}", std::strerror(errno));
  return {mapping, [size](const void* p) { ::munmap(const_cast<void*>(p), size); }};
}

uint64_t AddressSpaceInUse() {
  unsigned long long pages = 0;
  if (std::FILE* file = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(file, "%llu", &pages) != 1) pages = 0;
    std::fclose(file);
  }
  return pages * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

[[noreturn]] void RunChild(const std::string& module, const std::string& path, std::span<const uint8_t> image,
                           int data_fd, int index_fd, uint64_t memory, double seconds) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (const int signal : {SIGINT, SIGTERM, SIGPIPE, SIGSEGV, SIGBUS, SIGABRT, SIGFPE}) ::signal(signal, SIG_DFL);
  const rlimit no_core = {0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  const auto cpu = static_cast<rlim_t>(seconds) + 1;
  const rlimit time = {cpu, cpu + 1};
  ::setrlimit(RLIMIT_CPU, &time);
#ifndef ASSAY_HAS_SHADOW_MEMORY
  const rlimit space = {memory, memory};
  ::setrlimit(RLIMIT_AS, &space);
#else
  static_cast<void>(memory);
#endif
  ::setenv("HDF5_USE_FILE_LOCKING", "FALSE", 1);
  ::setenv("HDF5_DISABLE_VERSION_CHECK", "2", 1);
  void* library = ::dlopen(module.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* reason = ::dlerror();
    const std::string text =
        nlohmann::json({{"error", std::string("cannot load ") + kModule + ": " + (reason == nullptr ? "" : reason)}})
            .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    const ssize_t written = ::write(index_fd, text.data(), text.size());
    ::_exit(written < 0 ? 1 : 0);
  }
  using ReadFn = void (*)(const char*, const void*, size_t, int, int);
  const auto read = reinterpret_cast<ReadFn>(::dlsym(library, "assay_hdf5_read"));
  if (read == nullptr) ::_exit(1);
  read(path.c_str(), image.empty() ? nullptr : image.data(), image.size(), data_fd, index_fd);
  ::_exit(0);
}

// What the child has to say, and how it ended.
std::string Listen(int fd, pid_t child, const Hdf5Limits& limits, int* status) {
  using Clock = std::chrono::steady_clock;
  const auto deadline = Clock::now() + std::chrono::duration<double>(limits.seconds);
  std::string text;
  std::string complaint;
  char buffer[1 << 16];
  while (true) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) {
      complaint = fmt::format("reading it took more than {} seconds", limits.seconds);
      break;
    }
    pollfd waiting = {fd, POLLIN, 0};
    const int ready = ::poll(&waiting, 1, static_cast<int>(std::min<int64_t>(left, 1000)));
    if (ready < 0 && errno != EINTR) break;
    if (ready <= 0) continue;
    const ssize_t got = ::read(fd, buffer, sizeof(buffer));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    text.append(buffer, static_cast<size_t>(got));
    if (text.size() > limits.max_index_bytes) {
      complaint = "its structure is too large";
      break;
    }
  }
  if (!complaint.empty()) ::kill(child, SIGKILL);
  while (::waitpid(child, status, 0) < 0 && errno == EINTR) {
  }
  if (!complaint.empty()) throw InputError("{}", complaint);
  return text;
}

graph::Constant Slice(std::span<const uint8_t> whole, const std::shared_ptr<const void>& owner, uint64_t offset,
                      uint64_t count, const std::string& path) {
  if (offset > whole.size() || count > whole.size() - offset) {
    throw InputError("dataset '{}' lies outside of the file", path);
  }
  return graph::Constant::OfFile(whole.subspan(offset, count), owner);
}

Hdf5File Parse(const std::string& text, std::span<const uint8_t> file, const std::shared_ptr<const void>& file_owner,
               int data_fd) {
  const nlohmann::json index = nlohmann::json::parse(text, nullptr, false);
  if (!index.is_object()) throw InputError("it is damaged: its structure could not be read");
  if (index.contains("error")) throw InputError("{}", index["error"].get<std::string>());
  const auto end = ::lseek(data_fd, 0, SEEK_END);
  std::shared_ptr<const void> unpacked_owner;
  std::span<const uint8_t> unpacked;
  if (end > 0) {
    unpacked_owner = MapDescriptor(data_fd, static_cast<uint64_t>(end));
    unpacked = {static_cast<const uint8_t*>(unpacked_owner.get()), static_cast<size_t>(end)};
  }
  Hdf5File result;
  for (const auto& [path, group] : index["groups"].items()) {
    Hdf5Group& to = result.groups[path];
    for (const auto& [name, value] : group["strings"].items()) to.strings[name] = value.get<std::string>();
    for (const auto& [name, value] : group["lists"].items()) to.lists[name] = value.get<std::vector<std::string>>();
  }
  for (const auto& [path, entry] : index["datasets"].items()) {
    Hdf5Dataset& to = result.datasets[path];
    const auto dtype = DTypeFromName(entry["dtype"].get<std::string>());
    if (!dtype.has_value()) continue;
    to.is_number = true;
    to.dtype = *dtype;
    to.shape = Shape(entry["shape"].get<std::vector<int32_t>>());
    const auto bytes = entry["bytes"].get<uint64_t>(), offset = entry["offset"].get<uint64_t>();
    if (!to.shape.IsValid(int64_t{1} << 36) ||
        bytes != DTypeBytes(to.dtype, static_cast<uint64_t>(to.shape.NumElements()))) {
      throw InputError("dataset '{}' has an impossible shape", path);
    }
    to.data = entry["in_file"].get<bool>() ? Slice(file, file_owner, offset, bytes, path)
                                           : Slice(unpacked, unpacked_owner, offset, bytes, path);
  }
  return result;
}

// An empty path: the child gets the bytes themselves.
Hdf5File ReadInChild(const std::string& path, std::span<const uint8_t> bytes, const std::shared_ptr<const void>& owner,
                     const Hdf5Limits& limits) {
  static constexpr uint8_t kSignature[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1A, '\n'};
  if (bytes.size() < sizeof(kSignature) || std::memcmp(bytes.data(), kSignature, sizeof(kSignature)) != 0) {
    throw InputError("not an HDF5 file");
  }
  const std::string module = FindModule(kModule, "reading .h5 and .keras files");
  Descriptor data(::memfd_create("assay-hdf5", MFD_CLOEXEC));
  int ends[2] = {-1, -1};
  if (data.get() < 0 || ::pipe2(ends, O_CLOEXEC) != 0) {
    throw InputError("cannot start reading: {}", std::strerror(errno));
  }
  Descriptor from_child(ends[0]), to_parent(ends[1]);
  const uint64_t memory = AddressSpaceInUse() + limits.extra_memory_bytes + 4 * bytes.size();
  const pid_t child = ::fork();
  if (child < 0) throw InputError("cannot start reading: {}", std::strerror(errno));
  if (child == 0) {
    RunChild(module, path.empty() ? "model.weights.h5" : path, path.empty() ? bytes : std::span<const uint8_t>(),
             data.get(), to_parent.get(), memory, limits.seconds);
  }
  to_parent.Close();
  int status = 0;
  const std::string text = Listen(from_child.get(), child, limits, &status);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    throw InputError("it is damaged, or asks for more memory than a model of its size needs: the reader gave up{}",
                     WIFSIGNALED(status) ? fmt::format(" (signal {})", WTERMSIG(status)) : "");
  }
  return Parse(text, bytes, owner, data.get());
}

}  // namespace

Hdf5File ReadHdf5(const std::string& path, const Hdf5Limits& limits) {
  const auto file = MappedFile::Open(path);
  return InContext([&] { return path; }, [&] { return ReadInChild(path, file->bytes(), file, limits); });
}

Hdf5File ReadHdf5(int descriptor, const std::string& name, const Hdf5Limits& limits) {
  return InContext(
      [&] { return name; },
      [&] {
        const auto size = ::lseek(descriptor, 0, SEEK_END);
        if (size <= 0) throw InputError("it is empty");
        const auto owner = MapDescriptor(descriptor, static_cast<uint64_t>(size));
        return ReadInChild("", {static_cast<const uint8_t*>(owner.get()), static_cast<size_t>(size)}, owner, limits);
      });
}

}  // namespace assay::keras
