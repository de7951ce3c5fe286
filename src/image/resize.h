// Resizing as OpenCV, Pillow, TensorFlow 2 and TensorFlow 1 do it, to the bit where docs/preprocess.md says so.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/array.h"

namespace assay {

enum class ResizeLibrary : uint8_t { kOpencv, kPillow, kTensorflow2, kTensorflow1 };

enum class ResizeKernel : uint8_t {
  kNearest,
  kLinear,  // "linear" (OpenCV) or "bilinear"
  kArea,
  kCubic,     // "cubic" (OpenCV) or "bicubic"
  kLanczos,   // Pillow's, of radius 3
  kLanczos3,  // TensorFlow's
  kLanczos4,
  kLanczos5,
  kBox,
  kHamming,
  kGaussian,
  kMitchell,
};

// Which input coordinate an output pixel samples (TensorFlow 1 only; the others fix it).
enum class ResizeGrid : uint8_t {
  kLegacy,     // x * in / out
  kAligned,    // x * (in - 1) / (out - 1): align_corners
  kHalfPixel,  // (x + 0.5) * in / out - 0.5: half_pixel_centers
};

struct ResizeMethod {
  ResizeLibrary library = ResizeLibrary::kOpencv;
  ResizeKernel kernel = ResizeKernel::kLinear;
  bool antialias = false;  // TensorFlow 2 only
  ResizeGrid grid = ResizeGrid::kLegacy;

  std::string ToString() const;
  // Whether 8-bit pixels come out as float32.
  bool MakesReal() const;
  bool operator==(const ResizeMethod&) const = default;
};

// "opencv-linear", "tf-bilinear-antialias", ... Throws UsageError naming the text and the nearest known method.
ResizeMethod ParseResizeMethod(std::string_view text);
// Every name that ParseResizeMethod knows.
const std::vector<std::string>& ResizeMethodNames();

// [height, width, channels] of 1 or 3 channels, uint8 or float32, to [new_height, new_width, channels]. OpenCV's and
// Pillow's results keep uint8; TensorFlow's are float32, but for nearest. Pillow has no float pictures of several
// channels: float32 with it is our own bug, which ParsePreprocess rules out.
Array Resize(const Array& image, int32_t new_width, int32_t new_height, const ResizeMethod& method);

// One library each, called by Resize with checked arguments.
Array ResizePillow(const Array& image, int32_t new_width, int32_t new_height, ResizeKernel kernel);
Array ResizeTensorflowDirect(const Array& image, int32_t new_width, int32_t new_height, ResizeKernel kernel,
                             ResizeGrid grid);
Array ResizeTensorflowWindows(const Array& image, int32_t new_width, int32_t new_height, ResizeKernel kernel,
                              bool antialias);
Array ResizeOpencv(const Array& image, int32_t new_width, int32_t new_height, ResizeKernel kernel);

}  // namespace assay
