// LocallyConnected1D and 2D of Keras 2: convolutions whose every output position has a kernel of its own. What Keras
// calls implementation 1 becomes a gather of all windows and one matrix product per position; 2 and 3 store the whole
// matrix from inputs to outputs, or its entries, and become one FULLY_CONNECTED.
#include <algorithm>

#include "base/error.h"
#include "format/keras/layer_call.h"

namespace assay::keras {
namespace {

using graph::kNoTensor;

constexpr int64_t kMaxEntries = int64_t{1} << 26;

struct Plan {
  std::vector<int32_t> in, kernel, stride, out;  // spatial
  int32_t channels = 0, filters = 0;
  bool channels_first = false, same = false;

  static int64_t Product(const std::vector<int32_t>& dims) {
    int64_t product = 1;
    for (const int32_t d : dims) product *= d;
    return product;
  }
  int64_t positions() const { return Product(out); }
  int64_t taps() const { return Product(kernel); }
  int64_t inputs() const { return Product(in) * channels; }
  int64_t outputs() const { return Product(out) * filters; }

  // Where the window of an output position lies, along one dimension.
  std::pair<int64_t, int64_t> Reach(size_t d, int64_t at) const {
    const int64_t left = kernel[d] / 2, center = at * stride[d] + (same ? 0 : left);
    return {std::max<int64_t>(0, center - left), std::min<int64_t>(in[d], center + kernel[d] - left)};
  }
};

// Calls `body` with every output position and every input position in its window, as indices in their grids.
template <typename Body>
void ForEachPair(const Plan& plan, const Body& body) {
  const bool flat = plan.in.size() == 1;
  const int64_t columns = flat ? 1 : plan.in[1], out_columns = flat ? 1 : plan.out[1];
  for (int64_t p = 0; p < plan.positions(); ++p) {
    const auto [y0, y1] = plan.Reach(0, flat ? p : p / out_columns);
    const auto [x0, x1] = flat ? std::pair<int64_t, int64_t>(0, 1) : plan.Reach(1, p % out_columns);
    for (int64_t y = y0; y < y1; ++y) {
      for (int64_t x = x0; x < x1; ++x) body(p, y * columns + x);
    }
  }
}

Id ByWindows(LayerCall& c, const Plan& plan, Id flat) {
  const auto positions = static_cast<int32_t>(plan.positions());
  const int64_t depth = plan.taps() * plan.channels;
  if (plan.same) c.Unsupported("padding 'same' in implementation 1");
  const int64_t area = Plan::Product(plan.in);
  // A window's values: by tap and channel, or by channel and tap where channels come first.
  std::vector<std::vector<int32_t>> windows(static_cast<size_t>(positions));
  ForEachPair(plan, [&](int64_t p, int64_t i) { windows[static_cast<size_t>(p)].push_back(static_cast<int32_t>(i)); });
  std::vector<int32_t> indices;
  indices.reserve(static_cast<size_t>(positions * depth));
  for (const std::vector<int32_t>& window : windows) {
    ASSAY_CHECK(static_cast<int64_t>(window.size()) == plan.taps());
    if (plan.channels_first) {
      for (int32_t channel = 0; channel < plan.channels; ++channel) {
        for (const int32_t i : window) indices.push_back(static_cast<int32_t>(channel * area + i));
      }
    } else {
      for (const int32_t i : window) {
        for (int32_t channel = 0; channel < plan.channels; ++channel) indices.push_back(i * plan.channels + channel);
      }
    }
  }
  const int32_t batch = c.g.Dims(flat)[0], width = static_cast<int32_t>(depth);
  Id x = c.g.Gather("windows", flat, c.g.Ints("windows/indices", indices), 1);
  x = c.g.Transpose("windows/transpose", c.g.Reshape("windows/split", x, {batch, positions, width}), {1, 0, 2});
  x = c.g.BatchMatMul("MatMul", x, c.Constant("kernel", {positions, width, plan.filters}, "kernel"));
  return c.g.Transpose("transpose", x,
                       plan.channels_first ? std::vector<int32_t>{1, 2, 0} : std::vector<int32_t>{1, 0, 2});
}

// The matrix [outputs, inputs], both in the order in which their tensors lie.
Id ByMatrix(LayerCall& c, const Plan& plan, Id flat, int64_t implementation) {
  const int64_t inputs = plan.inputs(), outputs = plan.outputs();
  if (inputs * outputs > kMaxEntries) c.Unsupported("a matrix of " + std::to_string(inputs * outputs) + " values");
  const int64_t area = Plan::Product(plan.in), positions = plan.positions();
  std::vector<uint8_t> connected(static_cast<size_t>(inputs * outputs), 0);
  ForEachPair(plan, [&](int64_t p, int64_t i) {
    for (int64_t f = 0; f < plan.filters; ++f) {
      for (int64_t channel = 0; channel < plan.channels; ++channel) {
        const int64_t o = plan.channels_first ? f * positions + p : p * plan.filters + f;
        const int64_t in = plan.channels_first ? channel * area + i : i * plan.channels + channel;
        connected[static_cast<size_t>(o * inputs + in)] = 1;
      }
    }
  });
  std::vector<float> matrix(connected.size(), 0.0F);
  if (implementation == 2) {
    std::vector<int32_t> from = plan.in, to = plan.out;
    from.insert(plan.channels_first ? from.begin() : from.end(), plan.channels);
    to.insert(plan.channels_first ? to.begin() : to.end(), plan.filters);
    from.insert(from.end(), to.begin(), to.end());
    const std::vector<float> values = c.Floats("kernel", Shape(from));  // [inputs, outputs]
    for (int64_t o = 0; o < outputs; ++o) {
      for (int64_t i = 0; i < inputs; ++i) {
        const auto at = static_cast<size_t>(o * inputs + i);
        if (connected[at] != 0) matrix[at] = values[static_cast<size_t>(i * outputs + o)];
      }
    }
  } else {
    const auto count = std::count(connected.begin(), connected.end(), uint8_t{1});
    const std::vector<float> values = c.Floats("kernel", {static_cast<int32_t>(count)});
    size_t next = 0;
    for (size_t at = 0; at < matrix.size(); ++at) {
      if (connected[at] != 0) matrix[at] = values[next++];
    }
  }
  const Shape shape = {static_cast<int32_t>(outputs), static_cast<int32_t>(inputs)};
  return c.g.FullyConnected("MatMul", flat, c.g.Floats("kernel", shape, matrix), kNoTensor);
}

template <int kRank>
std::vector<Id> LocallyConnected(LayerCall& c) {
  const Id x = c.input();
  if (c.g.rank(x) != kRank + 2) throw InputError("its input has {} dimensions", c.g.rank(x));
  Plan plan;
  plan.channels_first = c.ChannelsFirst();
  plan.kernel = c.Sizes("kernel_size", kRank);
  plan.stride = c.Sizes("strides", kRank, 1);
  plan.filters = static_cast<int32_t>(c.Int("filters"));
  plan.channels = plan.channels_first ? c.g.shape(x)[1] : c.g.shape(x).FromEnd(1);
  const std::string padding = c.Text("padding", "valid");
  plan.same = padding == "same";
  if (!plan.same && padding != "valid") c.Unsupported("padding '" + padding + "'");
  for (int i = 0; i < kRank; ++i) {
    const int64_t in = c.g.shape(x)[i + (plan.channels_first ? 2 : 1)];
    const int64_t k = plan.kernel[static_cast<size_t>(i)], s = plan.stride[static_cast<size_t>(i)];
    const int64_t out = plan.same ? (in + s - 1) / s : (in - k + s) / s;
    if (out < 1) throw InputError("its input is smaller than its kernel");
    plan.in.push_back(static_cast<int32_t>(in)), plan.out.push_back(static_cast<int32_t>(out));
  }
  const int64_t entries = plan.positions() * plan.taps() * plan.channels;
  if (plan.filters < 1 || entries > kMaxEntries || plan.outputs() > kMaxEntries || plan.inputs() > kMaxEntries) {
    throw InputError("{} windows of {} values for {} filters", plan.positions(), plan.taps() * plan.channels,
                     plan.filters);
  }
  const int64_t implementation = c.Int("implementation", 1);
  if (implementation < 1 || implementation > 3) c.Unsupported("implementation " + std::to_string(implementation));
  const int32_t batch = c.g.Dims(x)[0];
  const Id flat = c.g.Reshape("flat", x, {batch, static_cast<int32_t>(plan.inputs())});
  Id y = implementation == 1 ? ByWindows(c, plan, flat) : ByMatrix(c, plan, flat, implementation);
  std::vector<int32_t> dims = {batch};
  dims.insert(dims.end(), plan.out.begin(), plan.out.end());
  dims.insert(plan.channels_first ? dims.begin() + 1 : dims.end(), plan.filters);
  y = c.g.Reshape("Reshape", y, dims);
  if (c.Bool("use_bias", true)) {
    std::vector<int32_t> stored = plan.out;
    stored.push_back(plan.filters);
    // Keras reshapes the bias for channels_first rather than transposing it.
    y = c.g.Add("BiasAdd", y,
                c.Constant("bias", Shape(stored), "bias", Shape(std::vector<int32_t>(dims.begin() + 1, dims.end()))));
  }
  return {c.Activate(y)};
}

constexpr LayerRow kLocallyConnectedRows[] = {
    {"LocallyConnected1D", LocallyConnected<1>, "RESHAPE, GATHER, BATCH_MATMUL, or FULLY_CONNECTED"},
    {"LocallyConnected2D", LocallyConnected<2>, "RESHAPE, GATHER, BATCH_MATMUL, or FULLY_CONNECTED"},
};

}  // namespace

std::span<const LayerRow> LocallyConnectedLayers() { return kLocallyConnectedRows; }

}  // namespace assay::keras
