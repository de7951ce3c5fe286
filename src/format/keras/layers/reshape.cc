// Layers that move values: reshape, permute, pad, crop, enlarge, repeat; and those that do nothing when a model is
// used.
#include "base/error.h"
#include "format/keras/layer_call.h"
#include "format/keras/masks.h"

namespace assay::keras {
namespace {

using graph::BuiltinOp;

int64_t Product(const std::vector<int32_t>& dims, size_t from) {
  int64_t product = 1;
  for (size_t i = from; i < dims.size(); ++i) {
    if (dims[i] < 0) throw InputError("its input leaves more open than the batch; give --input-shape");
    product *= dims[i];
  }
  return product;
}

std::vector<Id> Flatten(LayerCall& c) {
  Id x = c.input();
  if (c.ChannelsFirst() && c.g.rank(x) > 2) x = c.ToChannelsLast(x);
  const std::vector<int32_t> d = c.g.Dims(x);
  if (d.size() == 2) return {x};
  return {c.g.Reshape("Reshape", x, {d[0], static_cast<int32_t>(Product(d, 1))})};
}

std::vector<Id> Reshape(LayerCall& c) {
  const std::vector<int32_t> d = c.g.Dims(c.input());
  std::vector<int32_t> to = {d[0]};
  const int64_t total = Product(d, 1);
  int64_t known = 1;
  for (const int32_t dim : c.IntList("target_shape")) {
    to.push_back(dim);
    if (dim > 0) known *= dim;
    if (dim == 0 || dim < -1) throw InputError("'target_shape' has a {}", dim);
  }
  int unknown = 0;
  for (size_t i = 1; i < to.size(); ++i) {
    if (to[i] != -1) continue;
    if (++unknown > 1 || known == 0 || total % known != 0)
      throw InputError("'target_shape' does not fit {} values", total);
    to[i] = static_cast<int32_t>(total / known);
  }
  if (unknown == 0 && known != total) throw InputError("'target_shape' has {} values, its input {}", known, total);
  return {c.g.Reshape("Reshape", c.input(), to)};
}

std::vector<Id> Permute(LayerCall& c) {
  std::vector<int32_t> order = {0};
  for (const int32_t dim : c.IntList("dims")) order.push_back(dim);
  return {c.g.Transpose("transpose", c.input(), order)};
}

std::vector<Id> RepeatVector(LayerCall& c) {
  const std::vector<int32_t> d = c.g.Dims(c.input());
  if (d.size() != 2) throw InputError("its input has {} dimensions", d.size());
  const auto n = static_cast<int32_t>(c.Int("n"));
  return {c.g.Tile("Tile", c.g.Reshape("ExpandDims", c.input(), {d[0], 1, d[1]}), {1, n, 1})};
}

// Amounts of padding or cropping: one number, one per axis, or [before, after] per axis.
std::vector<std::pair<int32_t, int32_t>> Amounts(const LayerCall& c, const char* key, size_t rank) {
  const Json& value = c.config.at(key);
  std::vector<std::pair<int32_t, int32_t>> amounts;
  const auto number = [&](const Json& json) {
    if (!json.is_number_integer() || json.get<int64_t>() < 0 || json.get<int64_t>() > (1 << 24)) {
      throw InputError("'{}' is {}", key, value.dump().substr(0, 80));
    }
    return json.get<int32_t>();
  };
  if (value.is_number()) {
    amounts.assign(rank, {number(value), number(value)});
  } else if (rank == 1 && value.is_array() && value.size() == 2 && value[0].is_number()) {
    amounts.emplace_back(number(value[0]), number(value[1]));
  } else if (value.is_array() && value.size() == rank) {
    for (const Json& entry : value) {
      if (entry.is_array() && entry.size() == 2) {
        amounts.emplace_back(number(entry[0]), number(entry[1]));
      } else {
        amounts.emplace_back(number(entry), number(entry));
      }
    }
  } else {
    throw InputError("'{}' is {}", key, value.dump().substr(0, 80));
  }
  return amounts;
}

// Steps whose values are all `mask_value` become zeros and are masked.
std::vector<Id> Masking(LayerCall& c) {
  const Id x = c.input();
  const int32_t last = c.g.rank(x) - 1;
  const Id differs = NotEqual(c.g, "NotEqual", x, c.Real("mask_value", 0));
  c.output_masks = {c.g.Reduce(BuiltinOp::kReduceAny, "Any", differs, {last}, false)};
  const Id kept = c.g.Cast("Cast", c.g.Reduce(BuiltinOp::kReduceAny, "Any_1", differs, {last}, true), DType::kFloat32);
  return {c.g.Mul("mul", x, kept)};
}

// The first spatial axis.
int First(const LayerCall& c) { return c.ChannelsFirst() ? 2 : 1; }

template <int kRank>
std::vector<Id> ZeroPadding(LayerCall& c) {
  std::vector<std::pair<int32_t, int32_t>> all(static_cast<size_t>(c.g.rank(c.input())), {0, 0});
  if (all.size() != kRank + 2) throw InputError("its input has {} dimensions", all.size());
  const auto amounts = Amounts(c, "padding", kRank);
  for (size_t i = 0; i < kRank; ++i) all[static_cast<size_t>(First(c)) + i] = amounts[i];
  return {c.g.Pad("Pad", c.input(), all)};
}

template <int kRank>
std::vector<Id> Cropping(LayerCall& c) {
  if (c.g.rank(c.input()) != kRank + 2) throw InputError("its input has {} dimensions", c.g.rank(c.input()));
  const auto amounts = Amounts(c, "cropping", kRank);
  std::vector<int32_t> begin(kRank + 2, 0), size(kRank + 2, -1);
  for (size_t i = 0; i < kRank; ++i) {
    const size_t axis = static_cast<size_t>(First(c)) + i;
    begin[axis] = amounts[i].first;
    size[axis] = c.g.shape(c.input())[static_cast<int>(axis)] - amounts[i].first - amounts[i].second;
    if (size[axis] < 1) throw InputError("it crops everything away");
  }
  return {c.g.Op(BuiltinOp::kSlice, "strided_slice",
                 {c.input(), c.g.Ints("strided_slice/begin", begin), c.g.Ints("strided_slice/size", size)})};
}

// Every value `factor` times along an axis of [N, L, M, C], as a nearest neighbour in an image.
Id Nearest(LayerCall& c, Id x, int32_t h, int32_t w) {
  const Shape& s = c.g.shape(x);
  return c.g.Resize(BuiltinOp::kResizeNearestNeighbor, "resize/ResizeNearestNeighbor", x, s[1] * h, s[2] * w, true);
}

std::vector<Id> UpSampling1D(LayerCall& c) {
  const std::vector<int32_t> d = c.g.Dims(c.input());
  if (d.size() != 3) throw InputError("its input has {} dimensions", d.size());
  const int32_t size = c.Sizes("size", 1, 2)[0];
  const Id x = Nearest(c, c.g.Reshape("ExpandDims", c.input(), {d[0], d[1], 1, d[2]}), size, 1);
  return {c.g.Reshape("Squeeze", x, {d[0], d[1] * size, d[2]})};
}

std::vector<Id> UpSampling2D(LayerCall& c) {
  const std::vector<int32_t> size = c.Sizes("size", 2, 2);
  Id x = c.ChannelsFirst() ? c.ToChannelsLast(c.input()) : c.input();
  const std::string method = c.Text("interpolation", "nearest");
  if (method == "nearest") {
    x = Nearest(c, x, size[0], size[1]);
  } else if (method == "bilinear") {
    const Shape s = c.g.shape(x);
    x = c.g.Resize(BuiltinOp::kResizeBilinear, "resize/ResizeBilinear", x, s[1] * size[0], s[2] * size[1], true);
  } else {
    c.Unsupported("interpolation '" + method + "'");
  }
  return {c.ChannelsFirst() ? c.FromChannelsLast(x) : x};
}

std::vector<Id> UpSampling3D(LayerCall& c) {
  const std::vector<int32_t> size = c.Sizes("size", 3, 2);
  Id x = c.ChannelsFirst() ? c.ToChannelsLast(c.input()) : c.input();
  const std::vector<int32_t> d = c.g.Dims(x);
  if (d.size() != 5) throw InputError("its input has {} dimensions", d.size());
  x = Nearest(c, c.g.Reshape("Reshape", x, {d[0] < 0 ? -1 : d[0] * d[1], d[2], d[3], d[4]}), size[1], size[2]);
  const int32_t height = d[2] * size[1], width = d[3] * size[2];
  x = Nearest(c, c.g.Reshape("Reshape_1", x, {d[0], d[1], height * width, d[4]}), size[0], 1);
  x = c.g.Reshape("Reshape_2", x, {d[0], d[1] * size[0], height, width, d[4]});
  return {c.ChannelsFirst() ? c.FromChannelsLast(x) : x};
}

constexpr LayerRow kReshapeRows[] = {
    {"Flatten", Flatten, "RESHAPE"},
    {"Reshape", Reshape, "RESHAPE"},
    {"Permute", Permute, "TRANSPOSE"},
    {"RepeatVector", RepeatVector, "RESHAPE, TILE"},
    {"ZeroPadding1D", ZeroPadding<1>, "PAD"},
    {"ZeroPadding2D", ZeroPadding<2>, "PAD"},
    {"ZeroPadding3D", ZeroPadding<3>, "PAD"},
    {"Cropping1D", Cropping<1>, "SLICE"},
    {"Cropping2D", Cropping<2>, "SLICE"},
    {"Cropping3D", Cropping<3>, "SLICE"},
    {"UpSampling1D", UpSampling1D, "RESHAPE, RESIZE_NEAREST_NEIGHBOR, RESHAPE"},
    {"UpSampling2D", UpSampling2D, "RESIZE_NEAREST_NEIGHBOR or RESIZE_BILINEAR"},
    {"UpSampling3D", UpSampling3D, "RESHAPE, RESIZE_NEAREST_NEIGHBOR twice"},
    {"Masking", Masking, "NOT_EQUAL, REDUCE_ANY, CAST, MUL"},
    {"Dropout", PassThrough, "nothing"},
    {"SpatialDropout1D", PassThrough, "nothing"},
    {"SpatialDropout2D", PassThrough, "nothing"},
    {"SpatialDropout3D", PassThrough, "nothing"},
    {"GaussianNoise", PassThrough, "nothing"},
    {"GaussianDropout", PassThrough, "nothing"},
    {"AlphaDropout", PassThrough, "nothing"},
    {"ActivityRegularization", PassThrough, "nothing"},
    {"Identity", PassThrough, "nothing"},
    {"StochasticDepth", PassThrough, "nothing"},
};

}  // namespace

std::span<const LayerRow> ReshapeLayers() { return kReshapeRows; }

}  // namespace assay::keras
