// JPEG and PNG files to 8-bit RGB pixels, exactly as OpenCV's imread, Pillow's convert('RGB') or TensorFlow's
// decode_image(channels=3) would give them; the three differ in JPEG's inverse transform, CMYK, 16-bit depth and
// rotation.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "tensor/array.h"

namespace assay {

enum class Decoder : uint8_t { kOpencv, kPillow, kTensorflow };

std::string_view DecoderName(Decoder decoder);
std::optional<Decoder> DecoderFromName(std::string_view name);

struct DecodeLimits {
  int64_t max_pixels = int64_t{1} << 27;  // checked against the header, before any pixel is allocated
  uint64_t max_file_bytes = uint64_t{1} << 30;
  int max_jpeg_scans = 256;  // a progressive file's passes over the picture: bounds the time a small file can take
};

// uint8 [height, width, 3] in RGB order. Throws InputError starting with `name` when the bytes are no JPEG or PNG, are
// corrupt, end before the last pixel, or exceed a limit. Where OpenCV fills the missing part of a truncated file with
// grey and goes on, this is still an error: a picture that is half there has no label worth counting.
Array DecodeImage(std::span<const uint8_t> bytes, const std::string& name, Decoder decoder,
                  const DecodeLimits& limits = {});
Array DecodeImageFile(const std::string& path, Decoder decoder, const DecodeLimits& limits = {});

}  // namespace assay
