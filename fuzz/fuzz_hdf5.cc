// An .h5 file: read by the child process with its limits, its weights given to layers, lowered. HDF5's C library works
// in the child alone, whose death is an error like any other; what this side makes of its answer is what is tried here.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/error.h"
#include "format/keras/lower.h"
#include "format/keras/source.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const int fd = ::memfd_create("fuzz", MFD_CLOEXEC);
  if (fd < 0 || ::write(fd, data, size) != static_cast<ssize_t>(size)) std::abort();
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  try {
    const assay::keras::Source source = assay::keras::ReadSource(path);
    assay::keras::Lower(source, "model.h5", {.batch = 1, .input_shapes = {}});
  } catch (const assay::Error& error) {
    if (error.code() != assay::ErrorCode::kInput) std::abort();
  }
  ::close(fd);
  return 0;
}
