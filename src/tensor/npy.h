// numpy's .npy and .npz files (little-endian, C order is written; Fortran order is read and transposed).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "tensor/array.h"

namespace assay {

// Named arrays in the file's order.
using NamedArrays = std::vector<std::pair<std::string, Array>>;

inline constexpr uint64_t kMaxNpyBytes = uint64_t{16} << 30;

// Each throws InputError with the path (and the member's name) when the file is not what it should be.
Array ReadNpy(const std::string& path);
Array ParseNpy(std::span<const uint8_t> bytes, const std::string& name);
NamedArrays ReadNpz(const std::string& path);

std::vector<uint8_t> SerializeNpy(const Array& array);
void WriteNpy(const std::string& path, const Array& array);
// Written beside the path and renamed; the bytes depend on the arrays alone.
void WriteNpz(const std::string& path, const NamedArrays& arrays);

const Array* FindArray(const NamedArrays& arrays, std::string_view name);

}  // namespace assay
