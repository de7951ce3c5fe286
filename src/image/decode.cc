#include "image/decode.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/mapped_file.h"
#include "image/codecs.h"

namespace assay {
namespace {

constexpr std::array<std::string_view, 3> kDecoderNames = {"opencv", "pillow", "tensorflow"};
constexpr std::array<uint8_t, 3> kJpegSignature = {0xff, 0xd8, 0xff};
constexpr std::array<uint8_t, 8> kPngSignature = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};

template <size_t N>
bool StartsWith(std::span<const uint8_t> bytes, const std::array<uint8_t, N>& signature) {
  return bytes.size() >= N && std::equal(signature.begin(), signature.end(), bytes.begin());
}

}  // namespace

std::string_view DecoderName(Decoder decoder) { return kDecoderNames[static_cast<size_t>(decoder)]; }

std::optional<Decoder> DecoderFromName(std::string_view name) {
  const auto found = std::find(kDecoderNames.begin(), kDecoderNames.end(), name);
  if (found == kDecoderNames.end()) return std::nullopt;
  return static_cast<Decoder>(found - kDecoderNames.begin());
}

void CheckDimensions(const std::string& name, uint64_t width, uint64_t height, const DecodeLimits& limits) {
  constexpr uint64_t kMaxSide = (uint64_t{1} << 31) - 1;
  if (width == 0 || height == 0) throw InputError("{}: the picture is {}x{}", name, width, height);
  if (width > kMaxSide || height > kMaxSide || width > static_cast<uint64_t>(limits.max_pixels) / height) {
    throw InputError("{}: the picture declares {}x{} pixels; the limit is {} in all", name, width, height,
                     limits.max_pixels);
  }
}

Array DecodeImage(std::span<const uint8_t> bytes, const std::string& name, Decoder decoder,
                  const DecodeLimits& limits) {
  if (bytes.empty()) throw InputError("{}: the file is empty", name);
  if (StartsWith(bytes, kJpegSignature)) return DecodeJpeg(bytes, name, decoder, limits);
  if (StartsWith(bytes, kPngSignature)) return DecodePng(bytes, name, decoder, limits);
  throw InputError("{}: is neither a JPEG nor a PNG picture", name);
}

Array DecodeImageFile(const std::string& path, Decoder decoder, const DecodeLimits& limits) {
  const auto file = MappedFile::Open(path, limits.max_file_bytes);
  return DecodeImage(file->bytes(), path, decoder, limits);
}

}  // namespace assay
