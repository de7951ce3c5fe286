// An HDF5 file's groups, texts and numbers. HDF5's library is not hardened against hostile files, so a child process
// with limits on memory and time reads the structure (hdf5_module.cc); numbers that lie in the file as they are are not
// copied.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/mapped_file.h"
#include "graph/model.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace assay::keras {

struct Hdf5Group {
  std::map<std::string, std::string> strings;             // attributes of one text
  std::map<std::string, std::vector<std::string>> lists;  // attributes of several
};

struct Hdf5Dataset {
  bool is_number = false;  // false: text, records, ...; the rest is then unset
  DType dtype = DType::kFloat32;
  Shape shape;
  graph::Constant data;
};

struct Hdf5File {
  std::map<std::string, Hdf5Group> groups;      // by path without the leading slash; "" is the root
  std::map<std::string, Hdf5Dataset> datasets;  // by path
};

struct Hdf5Limits {
  double seconds = 120;                             // of the child, in wall time
  uint64_t extra_memory_bytes = uint64_t{1} << 30;  // beside four times the file's size
  uint64_t max_index_bytes = uint64_t{2} << 30;     // of the description
};

// Throws InputError with the path where the file is no HDF5 file, is damaged, leads outside of itself, or claims sizes
// that it cannot have.
Hdf5File ReadHdf5(const std::string& path, const Hdf5Limits& limits = {});
// The same for a file without a path, which nobody else writes to; `name` stands for the path in messages.
Hdf5File ReadHdf5(int descriptor, const std::string& name, const Hdf5Limits& limits = {});

}  // namespace assay::keras
