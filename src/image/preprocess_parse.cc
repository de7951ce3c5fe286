#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <tuple>
#include <utility>

#include "base/error.h"
#include "image/preprocess.h"

namespace assay {
namespace {

constexpr int32_t kMaxSide = 1 << 15;
constexpr size_t kMaxSteps = 64;
constexpr size_t kMaxChannels = 4096;

constexpr std::array<std::string_view, 9> kStepNames = {"decode", "crop",  "resize", "color", "scale",
                                                        "offset", "shift", "mean",   "std"};
constexpr std::array<std::string_view, 3> kColorNames = {"rgb", "bgr", "grey"};
constexpr std::array<std::string_view, 3> kDecoders = {"opencv", "pillow", "tensorflow"};
constexpr std::array<std::string_view, 4> kAffineNames = {"scale", "offset", "mean", "std"};

template <typename T, size_t N>
std::optional<T> Find(const std::array<std::string_view, N>& names, std::string_view name) {
  for (size_t i = 0; i < N; ++i) {
    if (names[i] == name) return static_cast<T>(i);
  }
  return std::nullopt;
}

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const size_t at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

// The whole text as a finite number.
std::optional<double> ParseNumber(std::string_view text) {
  double value = 0;
  if (!text.empty() && text[0] == '+') text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::optional<int32_t> ParseSide(std::string_view text) {
  int32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 1 || value > kMaxSide) return std::nullopt;
  return value;
}

// "224x160": width, then height.
std::optional<std::pair<int32_t, int32_t>> ParseSides(std::string_view text) {
  const size_t cross = text.find('x');
  if (cross == std::string_view::npos) return std::nullopt;
  const auto width = ParseSide(text.substr(0, cross)), height = ParseSide(text.substr(cross + 1));
  if (!width || !height) return std::nullopt;
  return std::pair(*width, *height);
}

// "0.5" or "1/255", rounded to float32 once.
float ParseReal(std::string_view text, std::string_view step) {
  const size_t slash = text.find('/');
  std::optional<double> value = ParseNumber(text.substr(0, slash));
  if (value && slash != std::string_view::npos) {
    const std::optional<double> divisor = ParseNumber(text.substr(slash + 1));
    value = divisor && *divisor != 0 ? std::optional(*value / *divisor) : std::nullopt;
  }
  const auto rounded = static_cast<float>(value.value_or(std::numeric_limits<double>::quiet_NaN()));
  if (!std::isfinite(rounded)) throw UsageError("preprocessing step '{}': '{}' is not a finite number", step, text);
  return rounded;
}

DecodeStep ParseDecode(std::string_view value, std::string_view step) {
  const auto decoder = DecoderFromName(value);
  if (!decoder) {
    throw UsageError("preprocessing step '{}': unknown decoder '{}'{}", step, value,
                     NearestHint(value, kDecoders.data(), kDecoders.size()));
  }
  return {*decoder};
}

CropStep ParseCrop(std::string_view value, std::string_view step) {
  if (const auto sides = ParseSides(value)) return {0, sides->first, sides->second};
  const auto fraction = ParseNumber(value);
  if (!fraction || *fraction <= 0 || *fraction > 1) {
    throw UsageError("preprocessing step '{}': expected a fraction in (0, 1] or WxH with sides of 1 to {}", step,
                     kMaxSide);
  }
  return {*fraction, 0, 0};
}

ResizeStep ParseResize(std::string_view value, std::string_view step) {
  const std::vector<std::string_view> parts = Split(value, ':');
  ResizeStep resize;
  bool valid = false;
  if (parts.size() == 3 && parts[0] == "short") {
    resize.shorter = ParseSide(parts[1]).value_or(0);
    valid = resize.shorter > 0;
  } else if (parts.size() == 2) {
    const auto sides = ParseSides(parts[0]);
    valid = sides.has_value();
    if (valid) std::tie(resize.width, resize.height) = *sides;
  }
  if (!valid) {
    throw UsageError(
        "preprocessing step '{}': expected resize=WxH:METHOD or resize=short:N:METHOD with sides of 1 to {}", step,
        kMaxSide);
  }
  resize.method = ParseResizeMethod(parts.back());
  return resize;
}

ColorStep ParseColor(std::string_view value, std::string_view step) {
  const auto order = Find<ColorOrder>(kColorNames, value);
  if (!order) {
    throw UsageError("preprocessing step '{}': unknown colour order '{}'{}", step, value,
                     NearestHint(value, kColorNames.data(), kColorNames.size()));
  }
  return {*order};
}

AffineStep ParseAffine(AffineKind kind, std::string_view value, std::string_view step) {
  AffineStep affine{kind, {}};
  for (const std::string_view part : Split(value, ':')) {
    affine.values.push_back(ParseReal(part, step));
    if (kind == AffineKind::kStd && affine.values.back() == 0) {
      throw UsageError("preprocessing step '{}': division by zero", step);
    }
  }
  if (affine.values.size() > kMaxChannels)
    throw UsageError("preprocessing step '{}': too many values", kAffineNames[static_cast<size_t>(kind)]);
  return affine;
}

PreprocessStep ParseStep(std::string_view step) {
  const size_t equals = step.find('=');
  const std::string_view name = step.substr(0, equals);
  const auto known = Find<size_t>(kStepNames, name);
  if (!known) {
    throw UsageError("unknown preprocessing step '{}'{}", name,
                     NearestHint(name, kStepNames.data(), kStepNames.size()));
  }
  if (equals == std::string_view::npos || equals + 1 == step.size()) {
    throw UsageError("preprocessing step '{}' lacks its value: write {}=...", step, name);
  }
  const std::string_view value = step.substr(equals + 1);
  if (name == "decode") return ParseDecode(value, step);
  if (name == "crop") return ParseCrop(value, step);
  if (name == "resize") return ParseResize(value, step);
  if (name == "color") return ParseColor(value, step);
  const auto affine = Find<AffineKind>(kAffineNames, name == "shift" ? "offset" : name);
  return ParseAffine(*affine, value, step);
}

// What one step makes impossible for the next ones.
void CheckOrder(const Pipeline& pipeline) {
  bool real = false, grey = false;
  for (size_t i = 0; i < pipeline.steps.size(); ++i) {
    const PreprocessStep& step = pipeline.steps[i];
    if (std::holds_alternative<DecodeStep>(step) && i > 0) {
      throw UsageError("preprocessing: decode must be the first step, and the only one of its kind");
    }
    if (const auto* resize = std::get_if<ResizeStep>(&step)) {
      if (real && resize->method.library == ResizeLibrary::kPillow) {
        throw UsageError("preprocessing: '{}' works on 8-bit pixels only, but an earlier step has made them real",
                         resize->method.ToString());
      }
      real |= resize->method.MakesReal();
    }
    if (const auto* color = std::get_if<ColorStep>(&step)) {
      if (grey && color->order != ColorOrder::kGrey) {
        throw UsageError("preprocessing: color={} cannot follow color=grey",
                         kColorNames[static_cast<size_t>(color->order)]);
      }
      if (real && color->order == ColorOrder::kGrey && pipeline.decoder() == Decoder::kPillow) {
        throw UsageError(
            "preprocessing: Pillow's color=grey works on 8-bit pixels only, but an earlier step has made them real");
      }
      grey |= color->order == ColorOrder::kGrey;
    }
    real |= std::holds_alternative<AffineStep>(step);
  }
}

// The shorter of the shortest decimal that reads back equal, and 1/n with n in tenths ("1/255", "-1/127.5").
std::string FormatReal(float value) {
  std::string text = fmt::format("{}", value);
  const double divisor = std::nearbyint(10.0 / static_cast<double>(value)) / 10.0;
  constexpr double kLargestDivisor = 1 << 20;
  if (std::abs(divisor) >= 2 && std::abs(divisor) <= kLargestDivisor && static_cast<float>(1.0 / divisor) == value) {
    const std::string fraction = fmt::format("{}1/{}", divisor < 0 ? "-" : "", std::abs(divisor));
    if (fraction.size() < text.size()) text = fraction;
  }
  return text;
}

std::string FormatStep(const PreprocessStep& step) {
  struct Formatter {
    std::string operator()(const DecodeStep& s) const { return fmt::format("decode={}", DecoderName(s.decoder)); }
    std::string operator()(const CropStep& s) const {
      return s.fraction > 0 ? fmt::format("crop={}", s.fraction) : fmt::format("crop={}x{}", s.width, s.height);
    }
    std::string operator()(const ResizeStep& s) const {
      return s.shorter > 0 ? fmt::format("resize=short:{}:{}", s.shorter, s.method.ToString())
                           : fmt::format("resize={}x{}:{}", s.width, s.height, s.method.ToString());
    }
    std::string operator()(const ColorStep& s) const {
      return fmt::format("color={}", kColorNames[static_cast<size_t>(s.order)]);
    }
    std::string operator()(const AffineStep& s) const {
      std::string text(kAffineNames[static_cast<size_t>(s.kind)]);
      for (size_t i = 0; i < s.values.size(); ++i) text += (i == 0 ? '=' : ':') + FormatReal(s.values[i]);
      return text;
    }
  };
  return std::visit(Formatter(), step);
}

}  // namespace

std::string Pipeline::ToString() const {
  std::string text;
  for (const PreprocessStep& step : steps) text += (text.empty() ? "" : ",") + FormatStep(step);
  return text;
}

Decoder Pipeline::decoder() const {
  const auto* first = steps.empty() ? nullptr : std::get_if<DecodeStep>(&steps[0]);
  return first != nullptr ? first->decoder : Decoder::kOpencv;
}

bool Pipeline::is_real() const {
  for (const PreprocessStep& step : steps) {
    if (std::holds_alternative<AffineStep>(step)) return true;
    const auto* resize = std::get_if<ResizeStep>(&step);
    if (resize != nullptr && resize->method.MakesReal()) return true;
  }
  return false;
}

bool Pipeline::needs_picture() const {
  for (const PreprocessStep& step : steps) {
    if (!std::holds_alternative<AffineStep>(step)) return true;
  }
  return false;
}

Pipeline ParsePreprocess(std::string_view text) {
  Pipeline pipeline;
  if (text.empty()) return pipeline;
  for (const std::string_view step : Split(text, ',')) {
    if (step.empty()) throw UsageError("preprocessing '{}': an empty step between commas", text);
    pipeline.steps.push_back(ParseStep(step));
    if (pipeline.steps.size() > kMaxSteps) throw UsageError("preprocessing: more than {} steps", kMaxSteps);
  }
  CheckOrder(pipeline);
  return pipeline;
}

}  // namespace assay
