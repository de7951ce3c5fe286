// Layers that prepare images; the random ones do nothing when a model is used.
#include "base/error.h"
#include "format/keras/layer_call.h"

namespace assay::keras {
namespace {

using graph::BuiltinOp;

// A number or a list along the last axis.
std::vector<float> Numbers(const LayerCall& c, const char* key, float otherwise) {
  if (!c.Has(key)) return {otherwise};
  const Json& value = c.config[key];
  std::vector<float> numbers;
  for (const Json& entry : value.is_array() ? value : Json::array({value})) {
    if (!entry.is_number()) throw InputError("'{}' is {}", key, value.dump().substr(0, 80));
    numbers.push_back(entry.get<float>());
  }
  if (numbers.empty()) throw InputError("'{}' is empty", key);
  return numbers;
}

Id AlongLast(LayerCall& c, const char* name, const std::vector<float>& numbers) {
  if (numbers.size() == 1) return c.g.Scalar(name, numbers[0]);
  return c.g.Floats(name, {static_cast<int32_t>(numbers.size())}, numbers);
}

std::vector<Id> Rescaling(LayerCall& c) {
  const std::vector<float> scale = Numbers(c, "scale", 1), offset = Numbers(c, "offset", 0);
  Id x = c.g.Cast("Cast", c.input(), DType::kFloat32);
  bool moves = false, scales = false;
  for (const float f : scale) scales |= f != 1;
  if (scales) x = c.g.Mul("mul", x, AlongLast(c, "Cast/x", scale));
  for (const float o : offset) moves |= o != 0;
  return {moves ? c.g.Add("add", x, AlongLast(c, "Cast_1/x", offset)) : x};
}

std::vector<Id> Resizing(LayerCall& c) {
  if (c.Bool("crop_to_aspect_ratio", false) || c.Bool("pad_to_aspect_ratio", false)) {
    c.Unsupported("resizing that keeps the aspect ratio");
  }
  if (c.Bool("antialias", false)) c.Unsupported("resizing with antialias");
  const auto height = static_cast<int32_t>(c.Int("height")), width = static_cast<int32_t>(c.Int("width"));
  const std::string method = c.Text("interpolation", "bilinear");
  if (method != "bilinear" && method != "nearest") c.Unsupported("interpolation '" + method + "'");
  Id x = c.ChannelsFirst() ? c.ToChannelsLast(c.input()) : c.input();
  const bool linear = method == "bilinear";
  if (c.g.shape(x)[1] != height || c.g.shape(x)[2] != width) {
    x = c.g.Resize(linear ? BuiltinOp::kResizeBilinear : BuiltinOp::kResizeNearestNeighbor,
                   linear ? "resize/ResizeBilinear" : "resize/ResizeNearestNeighbor", x, height, width, true);
  }
  return {c.ChannelsFirst() ? c.FromChannelsLast(x) : x};
}

std::vector<Id> CenterCrop(LayerCall& c) {
  const auto height = static_cast<int32_t>(c.Int("height")), width = static_cast<int32_t>(c.Int("width"));
  Id x = c.ChannelsFirst() ? c.ToChannelsLast(c.input()) : c.input();
  const Shape s = c.g.shape(x);
  if (s.rank() != 4) throw InputError("its input has {} dimensions", s.rank());
  if (s[1] < height || s[2] < width) c.Unsupported("a center crop that enlarges its input");
  if (s[1] != height || s[2] != width) {
    x = c.g.Op(BuiltinOp::kSlice, "crop",
               {x, c.g.Ints("crop/begin", {0, (s[1] - height) / 2, (s[2] - width) / 2, 0}),
                c.g.Ints("crop/size", {-1, height, width, -1})});
  }
  return {c.ChannelsFirst() ? c.FromChannelsLast(x) : x};
}

constexpr LayerRow kPreprocessingRows[] = {
    {"Rescaling", Rescaling, "MUL, ADD"},
    {"Resizing", Resizing, "RESIZE_BILINEAR or RESIZE_NEAREST_NEIGHBOR"},
    {"CenterCrop", CenterCrop, "SLICE"},
    {"RandomFlip", PassThrough, "nothing"},
    {"RandomRotation", PassThrough, "nothing"},
    {"RandomZoom", PassThrough, "nothing"},
    {"RandomTranslation", PassThrough, "nothing"},
    {"RandomContrast", PassThrough, "nothing"},
    {"RandomBrightness", PassThrough, "nothing"},
    {"RandomHue", PassThrough, "nothing"},
    {"RandomSaturation", PassThrough, "nothing"},
    {"RandomGrayscale", PassThrough, "nothing"},
    {"RandomColorJitter", PassThrough, "nothing"},
    {"RandomColorDegeneration", PassThrough, "nothing"},
    {"RandomErasing", PassThrough, "nothing"},
    {"RandomGaussianBlur", PassThrough, "nothing"},
    {"RandomInvert", PassThrough, "nothing"},
    {"RandomPerspective", PassThrough, "nothing"},
    {"RandomPosterization", PassThrough, "nothing"},
    {"RandomSharpness", PassThrough, "nothing"},
    {"RandomHeight", PassThrough, "nothing"},
    {"RandomWidth", PassThrough, "nothing"},
    {"RandAugment", PassThrough, "nothing"},
    {"AugMix", PassThrough, "nothing"},
    {"MixUp", PassThrough, "nothing"},
    {"CutMix", PassThrough, "nothing"},
    {"RandomShear", PassThrough, "nothing"},
    {"RandomElasticTransform", PassThrough, "nothing"},
};

}  // namespace

std::span<const LayerRow> PreprocessingLayers() { return kPreprocessingRows; }

}  // namespace assay::keras
