// PNG over libpng: the stored samples are read without colour management, then made 8-bit RGB by the decoder's own
// rule.
#include <png.h>

#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <vector>

#include "base/error.h"
#include "image/codecs.h"

namespace assay {
namespace {

// Everything libpng calls back into. No function that calls setjmp here owns an object with a destructor.
class PngReader {
 public:
  explicit PngReader(std::span<const uint8_t> bytes) : bytes_(bytes) {}
  ~PngReader() { png_destroy_read_struct(&png_, &info_, nullptr); }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;

  // Each returns false on an error, which message() then holds.
  bool ReadHeader();
  bool Prepare();  // after ReadHeader: fixes the transformations and the layout below
  bool ReadRows(uint8_t* samples);
  bool Finish();  // reads on to the end chunk

  uint32_t width() const { return width_; }
  uint32_t height() const { return height_; }
  int channels() const { return channels_; }
  int bytes_per_sample() const { return bytes_per_sample_; }
  bool has_palette() const { return color_type_ == PNG_COLOR_TYPE_PALETTE; }
  size_t row_bytes() const { return row_bytes_; }
  std::span<const uint8_t> exif() const { return {exif_, exif_size_}; }
  const char* message() const { return message_; }
  bool truncated() const { return truncated_; }

 private:
  [[noreturn]] static void OnError(png_structp png, png_const_charp text);
  static void OnWarning(png_structp /*png*/, png_const_charp /*text*/) {}
  static void OnRead(png_structp png, png_bytep to, size_t count);

  std::span<const uint8_t> bytes_;
  size_t position_ = 0;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  std::jmp_buf escape_ = {};
  char message_[200] = {};
  bool truncated_ = false;
  uint32_t width_ = 0, height_ = 0;
  int channels_ = 0, bytes_per_sample_ = 1, color_type_ = 0, passes_ = 1;
  size_t row_bytes_ = 0;
  png_bytep exif_ = nullptr;
  png_uint_32 exif_size_ = 0;
};

void PngReader::OnError(png_structp png, png_const_charp text) {
  auto& self = *static_cast<PngReader*>(png_get_error_ptr(png));
  std::snprintf(self.message_, sizeof(self.message_), "%s", text);
  std::longjmp(self.escape_, 1);
}

void PngReader::OnRead(png_structp png, png_bytep to, size_t count) {
  auto& self = *static_cast<PngReader*>(png_get_io_ptr(png));
  if (count > self.bytes_.size() - self.position_) {
    self.truncated_ = true;
    png_error(png, "the data end early");
  }
  std::memcpy(to, self.bytes_.data() + self.position_, count);
  self.position_ += count;
}

bool PngReader::ReadHeader() {
  if (setjmp(escape_) != 0) return false;
  png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, OnError, OnWarning);
  if (png_ != nullptr) info_ = png_create_info_struct(png_);
  if (info_ == nullptr) {
    std::snprintf(message_, sizeof(message_), "out of memory");
    return false;
  }
  png_set_read_fn(png_, this, OnRead);
  png_set_user_limits(png_, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
  constexpr png_alloc_size_t kMaxChunkBytes = png_alloc_size_t{8} << 20;
  png_set_chunk_malloc_max(png_, kMaxChunkBytes);
  // None of these changes a pixel in any of the three libraries; skipping them spares their parsing.
  static const png_byte kSkipped[] =
      "gAMA\0cHRM\0sRGB\0iCCP\0sBIT\0bKGD\0hIST\0pHYs\0sPLT\0tIME\0tEXt\0zTXt\0iTXt\0oFFs\0pCAL\0sCAL";
  png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER, kSkipped, static_cast<int>(sizeof(kSkipped) / 5));
  png_read_info(png_, info_);
  width_ = png_get_image_width(png_, info_);
  height_ = png_get_image_height(png_, info_);
  color_type_ = png_get_color_type(png_, info_);
  png_get_eXIf_1(png_, info_, &exif_size_, &exif_);
  return true;
}

bool PngReader::Prepare() {
  if (setjmp(escape_) != 0) return false;
  if (color_type_ == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png_);
  if (color_type_ == PNG_COLOR_TYPE_GRAY) png_set_expand_gray_1_2_4_to_8(png_);
  passes_ = png_set_interlace_handling(png_);
  png_read_update_info(png_, info_);
  channels_ = png_get_channels(png_, info_);
  bytes_per_sample_ = png_get_bit_depth(png_, info_) == 16 ? 2 : 1;
  row_bytes_ = png_get_rowbytes(png_, info_);
  return true;
}

bool PngReader::ReadRows(uint8_t* samples) {
  if (setjmp(escape_) != 0) return false;
  for (int pass = 0; pass < passes_; ++pass) {
    for (uint32_t y = 0; y < height_; ++y) png_read_row(png_, samples + y * row_bytes_, nullptr);
  }
  return true;
}

bool PngReader::Finish() {
  if (setjmp(escape_) != 0) return false;
  png_read_end(png_, nullptr);
  return true;
}

// A big-endian 16-bit sample as 8 bits: the high byte; but Pillow clips the samples of a grey picture without alpha.
uint8_t Narrow16(const uint8_t* sample, bool clips) { return clips && sample[0] != 0 ? 255 : sample[clips ? 1 : 0]; }

}  // namespace

Array DecodePng(std::span<const uint8_t> bytes, const std::string& name, Decoder decoder, const DecodeLimits& limits) {
  PngReader reader(bytes);
  const auto fail = [&] {
    if (reader.truncated()) throw InputError("{}: truncated PNG: the data end early", name);
    throw InputError("{}: corrupt PNG: {}", name, reader.message());
  };
  if (!reader.ReadHeader()) fail();
  CheckDimensions(name, reader.width(), reader.height(), limits);
  if (!reader.Prepare()) fail();
  const int64_t width = reader.width(), height = reader.height();
  // Deflate packs at most 1032 bytes into one.
  constexpr uint64_t kMostPixelsPerByte = 1032 * 8;
  if (static_cast<uint64_t>(width * height) / kMostPixelsPerByte > bytes.size()) {
    throw InputError("{}: truncated PNG: {} bytes cannot hold {}x{} pixels", name, bytes.size(), width, height);
  }
  std::vector<uint8_t> samples(reader.row_bytes() * static_cast<size_t>(height));
  if (!reader.ReadRows(samples.data())) fail();
  // Pillow alone does not miss what follows the last row.
  if (decoder != Decoder::kPillow && !reader.Finish()) fail();
  Array image(DType::kUInt8, Shape{static_cast<int32_t>(height), static_cast<int32_t>(width), 3});
  const int channels = reader.channels();
  const bool grey = channels <= 2;
  const bool clips = decoder == Decoder::kPillow && channels == 1;
  const int step = reader.bytes_per_sample();
  const uint8_t* from = samples.data();
  uint8_t* to = image.bytes().data();
  for (int64_t i = 0; i < width * height; ++i, from += channels * step, to += 3) {
    for (int c = 0; c < 3; ++c) {
      const uint8_t* sample = from + (grey ? 0 : c * step);
      to[c] = step == 2 ? Narrow16(sample, clips) : *sample;
    }
  }
  if (decoder == Decoder::kOpencv) return ApplyOrientation(std::move(image), ExifOrientation(reader.exif()));
  return image;
}

}  // namespace assay
