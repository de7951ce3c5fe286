#include "image/color.h"

#include <cmath>
#include <utility>

#include "base/error.h"

namespace assay {
namespace {

template <typename T, typename Formula>
void MapPixels(const Array& rgb, Array* grey, Formula formula) {
  const T* from = rgb.values<T>().data();
  for (T& value : grey->values<T>()) {
    value = formula(from[0], from[1], from[2]);
    from += 3;
  }
}

// Fused multiply-adds; the whole blocks of 8 pixels of a row begin with red, what remains of it with green.
void GreyFloatsOpencv(const Array& rgb, Array* grey) {
  const auto width = static_cast<size_t>(rgb.shape()[1]), height = static_cast<size_t>(rgb.shape()[0]);
  const float* from = rgb.values<float>().data();
  float* to = grey->values<float>().data();
  constexpr float kRed = 0.299F, kGreen = 0.587F, kBlue = 0.114F;
  for (size_t y = 0; y < height; ++y) {
    for (size_t x = 0; x < width; ++x, from += 3) {
      const float two =
          x < width / 8 * 8 ? std::fma(from[1], kGreen, from[0] * kRed) : std::fma(from[0], kRed, from[1] * kGreen);
      *to++ = std::fma(from[2], kBlue, two);
    }
  }
}

}  // namespace

Array ToGrey(const Array& rgb, Decoder library) {
  ASSAY_CHECK(rgb.shape().rank() == 3 && rgb.shape()[2] == 3);
  Array grey(rgb.dtype(), Shape{rgb.shape()[0], rgb.shape()[1], 1});
  if (rgb.dtype() == DType::kUInt8) {
    // OpenCV: weights of 15 bits; Pillow: of 16 bits; TensorFlow: through floats of 0..1 and back, truncating.
    switch (library) {
      case Decoder::kOpencv:
        MapPixels<uint8_t>(rgb, &grey, [](uint32_t r, uint32_t g, uint32_t b) {
          return static_cast<uint8_t>((r * 9798 + g * 19235 + b * 3735 + (1U << 14)) >> 15);
        });
        break;
      case Decoder::kPillow:
        MapPixels<uint8_t>(rgb, &grey, [](uint32_t r, uint32_t g, uint32_t b) {
          return static_cast<uint8_t>((r * 19595 + g * 38470 + b * 7471 + (1U << 15)) >> 16);
        });
        break;
      case Decoder::kTensorflow:
        MapPixels<uint8_t>(rgb, &grey, [](float r, float g, float b) {
          constexpr float kToUnit = 1.0F / 255.0F;
          const float unit = r * kToUnit * 0.2989F + g * kToUnit * 0.587F + b * kToUnit * 0.114F;
          return static_cast<uint8_t>(unit * 255.5F);
        });
        break;
    }
    return grey;
  }
  ASSAY_CHECK(library != Decoder::kPillow);
  if (library == Decoder::kOpencv) {
    GreyFloatsOpencv(rgb, &grey);
  } else {
    MapPixels<float>(rgb, &grey, [](float r, float g, float b) { return r * 0.2989F + g * 0.587F + b * 0.114F; });
  }
  return grey;
}

void ReverseChannels(Array* image) {
  ASSAY_CHECK(image->shape().rank() == 3 && image->shape()[2] == 3);
  const auto reverse = [](auto values) {
    for (size_t i = 0; i + 2 < values.size(); i += 3) std::swap(values[i], values[i + 2]);
  };
  if (image->dtype() == DType::kUInt8) {
    reverse(image->values<uint8_t>());
  } else {
    reverse(image->values<float>());
  }
}

}  // namespace assay
