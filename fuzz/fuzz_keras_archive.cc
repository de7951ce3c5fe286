// A .keras archive. The first byte says what the rest is: the archive itself (0), or a config, a zero byte and the
// weights' HDF5 file, which are packed into a sound archive first: the check sums of ZIP keep mutations out otherwise.
#include <sys/mman.h>
#include <unistd.h>
#include <zip.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "format/keras/lower.h"
#include "format/keras/source.h"

namespace {

std::vector<uint8_t> Pack(std::span<const uint8_t> config, std::span<const uint8_t> weights) {
  zip_error_t error;
  zip_source_t* whole = zip_source_buffer_create(nullptr, 0, 0, &error);
  if (whole == nullptr) std::abort();
  zip_source_keep(whole);
  zip_t* archive = zip_open_from_source(whole, ZIP_CREATE | ZIP_TRUNCATE, &error);
  if (archive == nullptr) std::abort();
  const auto add = [&](const char* name, std::span<const uint8_t> bytes) {
    zip_source_t* member = zip_source_buffer(archive, bytes.data(), bytes.size(), 0);
    const zip_int64_t index = member == nullptr ? -1 : zip_file_add(archive, name, member, ZIP_FL_ENC_UTF_8);
    if (index < 0 || zip_set_file_compression(archive, static_cast<zip_uint64_t>(index), ZIP_CM_STORE, 0) != 0)
      std::abort();
  };
  add("config.json", config);
  add("model.weights.h5", weights);
  if (zip_close(archive) != 0 || zip_source_open(whole) != 0) std::abort();
  zip_stat_t stat;
  if (zip_source_stat(whole, &stat) != 0) std::abort();
  std::vector<uint8_t> bytes(stat.size);
  if (zip_source_read(whole, bytes.data(), bytes.size()) != static_cast<zip_int64_t>(bytes.size())) std::abort();
  zip_source_close(whole);
  zip_source_free(whole);
  return bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::span<const uint8_t> rest(data + 1, size - 1);
  std::vector<uint8_t> bytes(rest.begin(), rest.end());
  if (data[0] != 0) {
    const auto end = std::find(rest.begin(), rest.end(), uint8_t{0});
    if (end == rest.end()) return 0;
    const auto config = static_cast<size_t>(end - rest.begin());
    bytes = Pack(rest.first(config), rest.subspan(config + 1));
  }
  const int fd = ::memfd_create("fuzz", MFD_CLOEXEC);
  if (fd < 0 || ::write(fd, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) std::abort();
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  try {
    if (assay::keras::IsKerasArchive(path)) {
      const assay::keras::Source source = assay::keras::ReadSource(path);
      assay::keras::Lower(source, "model.keras", {.batch = 1, .input_shapes = {}});
    }
  } catch (const assay::Error& error) {
    if (error.code() != assay::ErrorCode::kInput) std::abort();
  }
  ::close(fd);
  return 0;
}
