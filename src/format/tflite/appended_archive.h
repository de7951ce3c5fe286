// The ZIP archive that model metadata tools append to a .tflite file (label files and the like). Readers of ZIP files
// look from the end, so it is found there; its offsets count from the start of the file that it is part of.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace assay::tflite {

// The archive at the end of `file`, its offsets rewritten to count from its own start; none where there is no archive
// or it is not well-formed.
std::optional<std::vector<uint8_t>> FindArchive(std::span<const uint8_t> file);

// The archive with its offsets moved for a place `offset` bytes into a file.
std::vector<uint8_t> MoveArchive(std::span<const uint8_t> archive, uint64_t offset);

}  // namespace assay::tflite
