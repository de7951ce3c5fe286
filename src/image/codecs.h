// The codecs behind DecodeImage; each takes bytes whose signature has been recognised.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "image/decode.h"

namespace assay {

Array DecodeJpeg(std::span<const uint8_t> bytes, const std::string& name, Decoder decoder, const DecodeLimits& limits);
Array DecodePng(std::span<const uint8_t> bytes, const std::string& name, Decoder decoder, const DecodeLimits& limits);

// Throws InputError when width * height is zero or more than the limit.
void CheckDimensions(const std::string& name, uint64_t width, uint64_t height, const DecodeLimits& limits);

// The orientation 1..8 in a TIFF-structured Exif block ("II*\0..." or "MM\0*..."); 0 where there is none or it is
// malformed.
int ExifOrientation(std::span<const uint8_t> tiff);
// Turns and mirrors an upright-stored picture as the Exif orientation asks.
Array ApplyOrientation(Array image, int orientation);

}  // namespace assay
