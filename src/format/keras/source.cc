#include "format/keras/source.h"

#include <sys/mman.h>
#include <unistd.h>
#include <zip.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "base/mapped_file.h"
#include "format/keras/hdf5_file.h"
#include "format/keras/network.h"

namespace assay::keras {
namespace {

constexpr uint64_t kMaxConfigBytes = uint64_t{512} << 20;
constexpr uint64_t kMaxWeightBytes = uint64_t{64} << 30;

Json ParseConfig(const std::string& text) {
  Json model = Json::parse(text, nullptr, false);
  if (!model.is_object()) throw InputError("its model config is no JSON object");
  return model;
}

// Configs are written by Keras; what has another form than it writes is said with JSON's own words.
template <typename Body>
auto WithJsonErrors(const Body& body) {
  try {
    return body();
  } catch (const Json::exception& error) {
    throw InputError("its model config has an unexpected form: {}", error.what());
  }
}

class Archive {
 public:
  explicit Archive(const std::string& path) {
    int code = 0;
    archive_ = zip_open(path.c_str(), ZIP_RDONLY, &code);
    if (archive_ == nullptr) throw InputError("it is a damaged ZIP file");
  }
  ~Archive() { zip_discard(archive_); }
  Archive(const Archive&) = delete;
  Archive& operator=(const Archive&) = delete;

  bool Has(const char* member) const { return zip_name_locate(archive_, member, 0) >= 0; }

  // Passes the member's bytes on in pieces. Only members of these names are ever opened, and none becomes a file.
  template <typename Sink>
  void Read(const char* member, uint64_t max_bytes, const Sink& sink) const {
    zip_stat_t stat;
    zip_stat_init(&stat);
    if (zip_stat(archive_, member, 0, &stat) != 0 || (stat.valid & ZIP_STAT_SIZE) == 0) {
      throw InputError("it lacks {}", member);
    }
    if (stat.size > max_bytes) throw InputError("{} claims {} bytes; the limit is {}", member, stat.size, max_bytes);
    if ((stat.valid & ZIP_STAT_COMP_SIZE) != 0 && stat.size / 1100 > stat.comp_size) {
      throw InputError("{} claims {} bytes and stores {}", member, stat.size, stat.comp_size);
    }
    zip_file_t* file = zip_fopen(archive_, member, 0);
    if (file == nullptr) throw InputError("{} cannot be opened: {}", member, zip_strerror(archive_));
    std::vector<char> buffer(std::min<uint64_t>(stat.size + 1, uint64_t{1} << 20));
    uint64_t total = 0;
    zip_int64_t got = 0;
    while ((got = zip_fread(file, buffer.data(), buffer.size())) > 0) {
      total += static_cast<uint64_t>(got);
      if (total > stat.size) break;
      sink(buffer.data(), static_cast<size_t>(got));
    }
    const bool good = zip_fclose(file) == 0 && got == 0 && total == stat.size;
    if (!good) throw InputError("{} is damaged", member);
  }

 private:
  zip_t* archive_ = nullptr;
};

class MemoryFile {
 public:
  MemoryFile() : fd_(::memfd_create("assay-weights", MFD_CLOEXEC)) {
    if (fd_ < 0) throw InputError("cannot make room for the weights: {}", std::strerror(errno));
  }
  ~MemoryFile() { ::close(fd_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  void Append(const char* bytes, size_t count) {
    while (count > 0) {
      const ssize_t done = ::write(fd_, bytes, count);
      if (done <= 0) throw InputError("cannot make room for the weights: {}", std::strerror(errno));
      bytes += done;
      count -= static_cast<size_t>(done);
    }
  }
  int fd() const { return fd_; }

 private:
  int fd_;
};

Source FromArchive(const std::string& path) {
  const Archive archive(path);
  if (!archive.Has("config.json")) throw InputError("it is a ZIP file without config.json: no Keras model");
  std::string text, metadata;
  archive.Read("config.json", kMaxConfigBytes, [&](const char* p, size_t n) { text.append(p, n); });
  Source source;
  if (archive.Has("metadata.json")) {
    archive.Read("metadata.json", kMaxConfigBytes, [&](const char* p, size_t n) { metadata.append(p, n); });
    const Json parsed = Json::parse(metadata, nullptr, false);
    if (parsed.is_object()) source.keras_version = parsed.value("keras_version", std::string());
  }
  source.network = WithJsonErrors([&] { return ParseNetwork(ParseConfig(text)); });
  if (!archive.Has("model.weights.h5")) throw InputError("it has no weights (model.weights.h5)");
  MemoryFile weights;
  archive.Read("model.weights.h5", kMaxWeightBytes, [&](const char* p, size_t n) { weights.Append(p, n); });
  AssignWeightsByTree(ReadHdf5(weights.fd(), "model.weights.h5"), "", source.network);
  return source;
}

std::string TextOf(const Hdf5Group& group, const char* name) {
  if (const auto found = group.strings.find(name); found != group.strings.end()) return found->second;
  const auto list = group.lists.find(name);
  return list != group.lists.end() && list->second.size() == 1 ? list->second[0] : std::string();
}

Source FromHdf5(const std::string& path) {
  const Hdf5File file = ReadHdf5(path);
  const Hdf5Group& root = file.groups.at("");
  const std::string config = TextOf(root, "model_config");
  return InContext(
      [&] { return path; },
      [&] {
        if (config.empty()) {
          const bool has_weights = root.lists.count("layer_names") > 0 || file.groups.count("layers") > 0 ||
                                   file.groups.count("_layer_checkpoint_dependencies") > 0;
          throw InputError("{}", has_weights ? "it holds weights only, not the model: save it with model.save(), not "
                                               "model.save_weights()"
                                             : "it is an HDF5 file, but no Keras model (no model_config)");
        }
        Source source;
        source.keras_version = TextOf(root, "keras_version");
        source.network = WithJsonErrors([&] { return ParseNetwork(ParseConfig(config)); });
        const std::string prefix = file.groups.count("model_weights") > 0 ? "model_weights" : "";
        AssignWeightsByLayer(file, prefix, source.network);
        return source;
      });
}

}  // namespace

bool IsHdf5(std::span<const uint8_t> bytes) {
  return bytes.size() >= 4 && bytes[0] == 0x89 && bytes[1] == 'H' && bytes[2] == 'D' && bytes[3] == 'F';
}

bool IsKerasArchive(const std::string& path) {
  int code = 0;
  zip_t* archive = zip_open(path.c_str(), ZIP_RDONLY, &code);
  if (archive == nullptr) return false;
  const bool found = zip_name_locate(archive, "config.json", 0) >= 0;
  zip_discard(archive);
  return found;
}

Source ReadSource(const std::string& path) {
  const bool is_hdf5 = [&] {
    const auto file = MappedFile::Open(path);
    return IsHdf5(file->bytes());
  }();
  if (is_hdf5) return FromHdf5(path);
  return InContext([&] { return path; }, [&] { return FromArchive(path); });
}

}  // namespace assay::keras
