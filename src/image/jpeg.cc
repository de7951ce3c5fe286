// JPEG over libjpeg-turbo. OpenCV and Pillow use its defaults (accurate integer transform, triangle upsampling);
// TensorFlow asks for the fast integer transform. CMYK differs between all three.
#include <algorithm>
#include <csetjmp>
#include <cstddef>
#include <cstdio>
#include <iterator>
#include <vector>
// libjpeg's headers want size_t and FILE first, and jerror.h wants jpeglib.h's types.
#include <jpeglib.h>

#include <jerror.h>

#include "base/error.h"
#include "image/codecs.h"

namespace assay {
namespace {

// Everything libjpeg calls back into. No function that calls setjmp here owns an object with a destructor.
class JpegReader {
 public:
  JpegReader(std::span<const uint8_t> bytes, int max_scans);
  ~JpegReader() { jpeg_destroy_decompress(&cinfo_); }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;

  // Each returns false on an error, which message() then holds.
  bool ReadHeader();
  bool Start(bool fast_transform);
  bool ReadRow(uint8_t* row);
  bool Finish();  // reads on to the end-of-image marker

  const jpeg_decompress_struct& info() const { return cinfo_; }
  const char* message() const { return message_; }
  // The bytes ended before the picture did.
  bool truncated() const { return damaged_by_end_ || (exhausted_ && (has_several_scans_ || message_[0] != 0)); }
  // The bytes have been read to their end, and no end-of-image marker was there.
  bool exhausted() const { return exhausted_; }

 private:
  static JpegReader& Self(j_common_ptr info) { return *static_cast<JpegReader*>(info->client_data); }
  static JpegReader& Self(j_decompress_ptr info) { return *static_cast<JpegReader*>(info->client_data); }
  [[noreturn]] static void OnError(j_common_ptr info);
  static void OnMessage(j_common_ptr info, int level);
  static void OnOutput(j_common_ptr /*info*/) {}
  static void OnSourceEvent(j_decompress_ptr /*info*/) {}
  static boolean OnFill(j_decompress_ptr info);
  static void OnSkip(j_decompress_ptr info, long count);  // NOLINT(google-runtime-int): libjpeg's signature
  static void OnProgress(j_common_ptr info);

  jpeg_decompress_struct cinfo_ = {};
  jpeg_error_mgr error_ = {};
  jpeg_source_mgr source_ = {};
  jpeg_progress_mgr progress_ = {};
  std::jmp_buf escape_ = {};
  char message_[JMSG_LENGTH_MAX] = {};
  int max_scans_;
  bool exhausted_ = false;
  bool damaged_by_end_ = false;
  bool has_several_scans_ = false;
};

JpegReader::JpegReader(std::span<const uint8_t> bytes, int max_scans) : max_scans_(max_scans) {
  cinfo_.err = jpeg_std_error(&error_);
  cinfo_.client_data = this;
  error_.error_exit = OnError;
  error_.emit_message = OnMessage;
  error_.output_message = OnOutput;
  if (setjmp(escape_) != 0) return;  // the message is set, and ReadHeader will report it
  jpeg_create_decompress(&cinfo_);
  cinfo_.client_data = this;
  source_.next_input_byte = bytes.data();
  source_.bytes_in_buffer = bytes.size();
  source_.init_source = OnSourceEvent;
  source_.term_source = OnSourceEvent;
  source_.fill_input_buffer = OnFill;
  source_.skip_input_data = OnSkip;
  source_.resync_to_restart = jpeg_resync_to_restart;
  cinfo_.src = &source_;
  progress_.progress_monitor = OnProgress;
  cinfo_.progress = &progress_;
}

void JpegReader::OnError(j_common_ptr info) {
  JpegReader& self = Self(info);
  info->err->format_message(info, self.message_);
  std::longjmp(self.escape_, 1);
}

// Negative levels are warnings about the data. Those which leave the pixels whole (stray bytes between segments, odd
// version numbers) pass, as in all three libraries.
void JpegReader::OnMessage(j_common_ptr info, int level) {
  if (level >= 0) return;
  JpegReader& self = Self(info);
  switch (info->err->msg_code) {
    case JWRN_HIT_MARKER:
      self.damaged_by_end_ |= self.exhausted_;
      [[fallthrough]];
    case JWRN_HUFF_BAD_CODE:
    case JWRN_ARITH_BAD_CODE:
    case JWRN_MUST_RESYNC:
      info->err->format_message(info, self.message_);
      std::longjmp(self.escape_, 1);
    default:
      break;
  }
}

// Called when the bytes have run out: feeds an end-of-image marker, so that a file that lacks nothing else is whole.
boolean JpegReader::OnFill(j_decompress_ptr info) {
  static constexpr JOCTET kEnd[2] = {0xff, JPEG_EOI};
  JpegReader& self = Self(info);
  self.exhausted_ = true;
  self.source_.next_input_byte = kEnd;
  self.source_.bytes_in_buffer = sizeof(kEnd);
  return TRUE;
}

void JpegReader::OnSkip(j_decompress_ptr info, long count) {  // NOLINT(google-runtime-int)
  JpegReader& self = Self(info);
  if (count <= 0) return;
  if (static_cast<size_t>(count) >= self.source_.bytes_in_buffer) {
    OnFill(info);
    return;
  }
  self.source_.next_input_byte += count;
  self.source_.bytes_in_buffer -= static_cast<size_t>(count);
}

void JpegReader::OnProgress(j_common_ptr info) {
  JpegReader& self = Self(info);
  if (self.cinfo_.input_scan_number <= self.max_scans_) return;
  std::snprintf(self.message_, sizeof(self.message_), "more than %d scans", self.max_scans_);
  std::longjmp(self.escape_, 1);
}

bool JpegReader::ReadHeader() {
  if (message_[0] != 0) return false;
  if (setjmp(escape_) != 0) return false;
  jpeg_save_markers(&cinfo_, JPEG_APP0 + 1, 0xffff);
  jpeg_read_header(&cinfo_, TRUE);
  return true;
}

bool JpegReader::Start(bool fast_transform) {
  if (setjmp(escape_) != 0) return false;
  cinfo_.dct_method = fast_transform ? JDCT_IFAST : JDCT_ISLOW;
  cinfo_.out_color_space = cinfo_.num_components == 4 ? JCS_CMYK : JCS_RGB;
  has_several_scans_ = jpeg_has_multiple_scans(&cinfo_) != 0;
  jpeg_start_decompress(&cinfo_);
  return true;
}

bool JpegReader::ReadRow(uint8_t* row) {
  if (setjmp(escape_) != 0) return false;
  JSAMPROW rows[1] = {row};
  jpeg_read_scanlines(&cinfo_, rows, 1);
  return true;
}

bool JpegReader::Finish() {
  if (setjmp(escape_) != 0) return false;
  jpeg_finish_decompress(&cinfo_);
  return true;
}

uint8_t DivideBy255(uint32_t product) {  // rounds to nearest, for products of two bytes
  const uint32_t biased = product + 128;
  return static_cast<uint8_t>(((biased >> 8) + biased) >> 8);
}

// Stored CMYK samples are nearly always inverted (255 is no ink), as Adobe writes them.
void CmykRowToRgb(const uint8_t* cmyk, int64_t width, Decoder decoder, bool saw_adobe_marker, uint8_t* rgb) {
  for (int64_t x = 0; x < width; ++x, cmyk += 4, rgb += 3) {
    const uint32_t k = cmyk[3];
    for (int c = 0; c < 3; ++c) {
      const uint32_t ink = cmyk[c];
      switch (decoder) {
        case Decoder::kOpencv:
          rgb[c] = static_cast<uint8_t>(k - (((255 - ink) * k) >> 8));
          break;
        case Decoder::kPillow:
          rgb[c] = static_cast<uint8_t>(k - DivideBy255((255 - ink) * k));
          break;
        case Decoder::kTensorflow:
          rgb[c] = static_cast<uint8_t>(saw_adobe_marker ? k * ink / 255 : (255 - k) * (255 - ink) / 255);
          break;
      }
    }
  }
}

int OrientationOf(const jpeg_decompress_struct& info) {
  constexpr uint8_t kPrefix[] = {'E', 'x', 'i', 'f', 0, 0};
  for (jpeg_saved_marker_ptr marker = info.marker_list; marker != nullptr; marker = marker->next) {
    if (marker->marker != JPEG_APP0 + 1 || marker->data_length <= sizeof(kPrefix)) continue;
    if (!std::equal(std::begin(kPrefix), std::end(kPrefix), marker->data)) continue;
    const int orientation = ExifOrientation({marker->data + sizeof(kPrefix), marker->data_length - sizeof(kPrefix)});
    if (orientation != 0) return orientation;
  }
  return 0;
}

}  // namespace

Array DecodeJpeg(std::span<const uint8_t> bytes, const std::string& name, Decoder decoder, const DecodeLimits& limits) {
  JpegReader reader(bytes, limits.max_jpeg_scans);
  const auto fail = [&] {
    if (reader.truncated()) throw InputError("{}: truncated JPEG: the data end early", name);
    throw InputError("{}: corrupt JPEG: {}", name, reader.message());
  };
  if (!reader.ReadHeader()) fail();
  const jpeg_decompress_struct& info = reader.info();
  CheckDimensions(name, info.image_width, info.image_height, limits);
  const int components = info.num_components;
  if (components != 1 && components != 3 && components != 4) {
    throw InputError("{}: JPEG with {} components; 1, 3 and 4 are supported", name, components);
  }
  // Every 8x8 block of at least one component takes a bit or more of the file (arithmetic coding can take less).
  const uint64_t blocks = uint64_t{(info.image_width + 7) / 8} * ((info.image_height + 7) / 8) / 16;
  if (info.arith_code == 0 && blocks > uint64_t{8} * bytes.size()) {
    throw InputError("{}: truncated JPEG: {} bytes cannot hold {}x{} pixels", name, bytes.size(), info.image_width,
                     info.image_height);
  }
  if (!reader.Start(decoder == Decoder::kTensorflow)) fail();
  const int64_t width = info.output_width, height = info.output_height;
  Array image(DType::kUInt8, Shape{static_cast<int32_t>(height), static_cast<int32_t>(width), 3});
  std::vector<uint8_t> cmyk(components == 4 ? static_cast<size_t>(width) * 4 : 0);
  uint8_t* row = image.bytes().data();
  for (int64_t y = 0; y < height; ++y, row += width * 3) {
    if (!reader.ReadRow(components == 4 ? cmyk.data() : row)) fail();
    if (components == 4) CmykRowToRgb(cmyk.data(), width, decoder, info.saw_Adobe_marker != 0, row);
  }
  // Pillow and TensorFlow refuse a file that lacks no more than its end marker; OpenCV takes it.
  const bool wants_end = decoder != Decoder::kOpencv;
  if (wants_end && !reader.Finish()) fail();
  if (reader.truncated() || (wants_end && reader.exhausted())) {
    throw InputError("{}: truncated JPEG: the data end early", name);
  }
  return decoder == Decoder::kOpencv ? ApplyOrientation(std::move(image), OrientationOf(info)) : std::move(image);
}

}  // namespace assay
