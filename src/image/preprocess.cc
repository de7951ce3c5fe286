#include "image/preprocess.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/mapped_file.h"
#include "image/color.h"

namespace assay {
namespace {

struct State {
  Array array;
  bool bgr = false;
};

void CheckPicture(const Array& array) {
  const Shape& shape = array.shape();
  const bool fits = shape.rank() == 3 && (shape[2] == 1 || shape[2] == 3) && shape[0] > 0 && shape[1] > 0 &&
                    (array.dtype() == DType::kUInt8 || array.dtype() == DType::kFloat32);
  if (!fits) {
    throw InputError("crop, resize and color want a picture of 1 or 3 channels, uint8 or float32, not {} of {}",
                     shape.ToString(), DTypeName(array.dtype()));
  }
}

Array Crop(const Array& image, const CropStep& step) {
  const int32_t height = image.shape()[0], width = image.shape()[1];
  int32_t new_height = step.height, new_width = step.width;
  if (step.fraction > 0) {
    new_height = static_cast<int32_t>(step.fraction * height);
    new_width = static_cast<int32_t>(step.fraction * width);
  }
  if (new_height < 1 || new_width < 1 || new_height > height || new_width > width) {
    throw InputError("a crop of {}x{} does not fit a picture of {}x{}", new_width, new_height, width, height);
  }
  const auto pixel = static_cast<size_t>(image.shape()[2]) * static_cast<size_t>(DTypeBits(image.dtype()) / 8);
  const size_t in_stride = static_cast<size_t>(width) * pixel, out_stride = static_cast<size_t>(new_width) * pixel;
  Array out(image.dtype(), Shape{new_height, new_width, image.shape()[2]});
  const uint8_t* from = image.bytes().data() + static_cast<size_t>((height - new_height) / 2) * in_stride +
                        static_cast<size_t>((width - new_width) / 2) * pixel;
  uint8_t* to = out.bytes().data();
  for (int32_t y = 0; y < new_height; ++y, from += in_stride) to = std::copy_n(from, out_stride, to);
  return out;
}

Array ResizeBy(const Array& image, const ResizeStep& step, const DecodeLimits& limits) {
  const int64_t height = image.shape()[0], width = image.shape()[1];
  int64_t new_height = step.height, new_width = step.width;
  if (step.shorter > 0) {
    const int64_t shorter = std::min(width, height);
    new_width = width * step.shorter / shorter;
    new_height = height * step.shorter / shorter;
  }
  // Between the two passes one side is old and the other one new. Sides are below 2^31 but for a narrow picture whose
  // shorter side grows: compare by division.
  const auto exceeds = [&](int64_t a, int64_t b) { return a > limits.max_pixels / b; };
  if (exceeds(new_width, new_height) || exceeds(new_width, height) || exceeds(width, new_height)) {
    throw InputError("a resize from {}x{} to {}x{} exceeds {} pixels", width, height, new_width, new_height,
                     limits.max_pixels);
  }
  return Resize(image, static_cast<int32_t>(new_width), static_cast<int32_t>(new_height), step.method);
}

void Recolor(State* state, ColorOrder order, Decoder library) {
  if (state->array.shape()[2] != 3) {
    if (order == ColorOrder::kGrey) return;
    throw InputError("color=rgb and color=bgr want three channels, not {}", state->array.shape()[2]);
  }
  if ((order == ColorOrder::kBgr) != state->bgr) ReverseChannels(&state->array);
  state->bgr = order == ColorOrder::kBgr;
  if (order == ColorOrder::kGrey) state->array = ToGrey(state->array, library);
}

float ApplyAffine(AffineKind kind, float x, float value) {
  switch (kind) {
    case AffineKind::kScale:
      return x * value;
    case AffineKind::kOffset:
      return x + value;
    case AffineKind::kMean:
      return x - value;
    case AffineKind::kStd:
      return x / value;
  }
  return x;
}

// A run of real-valued steps over one channel's value.
float ApplyRun(std::span<const AffineStep* const> run, float x, size_t channel) {
  for (const AffineStep* step : run) {
    x = ApplyAffine(step->kind, x, step->values.size() == 1 ? step->values[0] : step->values[channel]);
  }
  return x;
}

// 8-bit pixels go through a table of 256 results per channel.
Array RunOnPixels(const Array& pixels, std::span<const AffineStep* const> run, size_t channels) {
  std::vector<float> table(256 * channels);
  for (size_t c = 0; c < channels; ++c) {
    for (size_t v = 0; v < 256; ++v) table[c * 256 + v] = ApplyRun(run, static_cast<float>(v), c);
  }
  Array out(DType::kFloat32, pixels.shape());
  const std::span<const uint8_t> from = pixels.values<uint8_t>();
  const std::span<float> to = out.values<float>();
  for (size_t i = 0; i < from.size(); i += channels) {
    for (size_t c = 0; c < channels; ++c) to[i + c] = table[c * 256 + from[i + c]];
  }
  return out;
}

Array ToFloat(Array array) {
  if (array.dtype() == DType::kFloat32) return array;
  Array out(DType::kFloat32, array.shape());
  const std::span<float> to = out.values<float>();
  for (size_t i = 0; i < to.size(); ++i) to[i] = static_cast<float>(ElementAsDouble(array, static_cast<int64_t>(i)));
  return out;
}

Array RunReal(Array array, std::span<const AffineStep* const> run) {
  const Shape& shape = array.shape();
  const size_t channels = shape.rank() == 0 ? 1 : static_cast<size_t>(std::max(shape.FromEnd(1), 1));
  bool per_channel = false;
  for (const AffineStep* step : run) {
    if (step->values.size() == 1) continue;
    per_channel = true;
    if (step->values.size() != channels) {
      throw InputError("a preprocessing step has {} values for {} channels", step->values.size(), channels);
    }
  }
  const size_t period = per_channel ? channels : 1;
  constexpr size_t kMostTables = 64;
  if (array.dtype() == DType::kUInt8 && period <= kMostTables) return RunOnPixels(array, run, period);
  Array out = ToFloat(std::move(array));
  const std::span<float> values = out.values<float>();
  for (const AffineStep* const& step : run) {
    for (size_t i = 0; i < values.size(); i += period) {
      for (size_t c = 0; c < period; ++c) values[i + c] = ApplyRun({&step, 1}, values[i + c], c);
    }
  }
  return out;
}

}  // namespace

Array ApplyPreprocess(const Pipeline& pipeline, Array array, const DecodeLimits& limits) {
  State state{std::move(array), false};
  std::vector<const AffineStep*> run;
  const auto finish_run = [&] {
    if (!run.empty()) state.array = RunReal(std::move(state.array), run);
    run.clear();
  };
  if (pipeline.needs_picture()) CheckPicture(state.array);
  for (const PreprocessStep& step : pipeline.steps) {
    if (const auto* affine = std::get_if<AffineStep>(&step)) {
      run.push_back(affine);
      continue;
    }
    finish_run();
    if (const auto* crop = std::get_if<CropStep>(&step)) state.array = Crop(state.array, *crop);
    if (const auto* resize = std::get_if<ResizeStep>(&step)) state.array = ResizeBy(state.array, *resize, limits);
    if (const auto* color = std::get_if<ColorStep>(&step)) Recolor(&state, color->order, pipeline.decoder());
  }
  finish_run();
  return std::move(state.array);
}

Array PreprocessImage(const Pipeline& pipeline, std::span<const uint8_t> bytes, const std::string& name,
                      const DecodeLimits& limits) {
  Array image = DecodeImage(bytes, name, pipeline.decoder(), limits);
  try {
    return ApplyPreprocess(pipeline, std::move(image), limits);
  } catch (const Error& error) {
    throw error.WithContext(name);
  }
}

Array PreprocessImageFile(const Pipeline& pipeline, const std::string& path, const DecodeLimits& limits) {
  const auto file = MappedFile::Open(path, limits.max_file_bytes);
  return PreprocessImage(pipeline, file->bytes(), path, limits);
}

}  // namespace assay
