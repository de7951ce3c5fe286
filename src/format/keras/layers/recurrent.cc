// LSTM, GRU, SimpleRNN, RNN of cells, ConvLSTM, and Bidirectional.
#include <numeric>

#include "base/error.h"
#include "format/keras/layers/recurrent_cells.h"

namespace assay::keras {
namespace {

using graph::kNoTensor;

// The tensors behind the first that are no mask.
std::vector<Id> InitialStates(LayerCall& c) {
  const Argument mask = c.Arg(kNoPosition, "mask");
  std::vector<Id> states;
  for (size_t i = 1; i < c.inputs.size(); ++i) {
    if (!mask.tensor.has_value() || c.inputs[i] != *mask.tensor) states.push_back(c.inputs[i]);
  }
  return states;
}

// Keras 3 hands a mask on by itself only where the sequence is the one tensor of the call.
Id LoopMask(LayerCall& c) {
  const bool is_named = c.Arg(kNoPosition, "mask").tensor.has_value();
  return c.keras_major >= 3 && !is_named && !InitialStates(c).empty() ? kNoTensor : c.Mask();
}

Loop LoopOf(LayerCall& c) {
  Loop loop;
  loop.backwards = c.Bool("go_backwards", false);
  loop.sequences = c.Bool("return_sequences", false);
  loop.mask = LoopMask(c);
  loop.zero_if_masked = c.Bool("zero_output_for_mask", false);
  if (loop.mask == kNoTensor) return loop;
  if (loop.zero_if_masked && !loop.sequences) c.Unsupported("'zero_output_for_mask' without 'return_sequences'");
  if (c.g.rank(loop.mask) != 2) c.Unsupported("a mask of " + std::to_string(c.g.rank(loop.mask)) + " dimensions");
  return loop;
}

void RefuseStates(const LayerCall& c) {
  if (c.Bool("stateful", false)) {
    c.Unsupported(
        "'stateful' (states that last from one call to the next; build the model without it and hand the states in "
        "and out, with initial_state and return_state)");
  }
  if (c.Bool("time_major", false)) c.Unsupported("'time_major'");
}

std::vector<Id> Results(LayerCall& c, const LoopResult& result) {
  std::vector<Id> out = {result.output};
  c.output_masks = {c.Bool("return_sequences", false) ? c.Mask() : kNoTensor};
  if (c.Bool("return_state", false)) out.insert(out.end(), result.states.begin(), result.states.end());
  return out;
}

std::vector<Id> Recurrent(LayerCall& c) {
  RefuseStates(c);
  const Cell cell = ReadCell(c, c.class_name, c.g.shape(c.input()).FromEnd(1));
  const std::vector<Id> initial = InitialStates(c);
  if (!initial.empty() && initial.size() != static_cast<size_t>(cell.states())) {
    throw InputError("it is given {} states and has {}", initial.size(), cell.states());
  }
  return Results(c, RunLoop(c, {cell}, c.input(), initial, LoopOf(c)));
}

// A layer's config inside of another's.
struct Inner {
  std::string class_name, name;
  Json config;
};
Inner InnerOf(const Json& value) {
  if (!value.is_object()) throw InputError("a layer in its config is {}", value.dump().substr(0, 80));
  Inner inner;
  inner.class_name = value.at("class_name").get<std::string>();
  inner.config = value.at("config");
  inner.name = inner.config.value("name", std::string());
  return inner;
}

std::vector<Id> RnnOfCells(LayerCall& c) {
  RefuseStates(c);
  const Inner outer = InnerOf(c.config.at("cell"));
  std::vector<Inner> list;
  if (outer.class_name == "StackedRNNCells") {
    for (const Json& cell : outer.config.at("cells")) list.push_back(InnerOf(cell));
  } else {
    list.push_back(outer);
  }
  if (list.empty()) throw InputError("it has no cells");
  std::vector<Cell> cells;
  int32_t depth = c.g.shape(c.input()).FromEnd(1);
  for (const Inner& inner : list) {
    LayerCall call(c.g, c.layer, inner.config, c.weights, c.keras_major);
    call.class_name = inner.class_name;
    // Cells of one stack are told apart by name where the file has names, else by order.
    call.within = list.size() > 1 && !inner.name.empty() && c.weights.Has("kernel", inner.name) ? inner.name : c.within;
    cells.push_back(ReadCell(call, inner.class_name, depth));
    depth = cells.back().units;
  }
  return Results(c, RunLoop(c, cells, c.input(), {}, LoopOf(c)));
}

std::vector<Id> Bidirectional(LayerCall& c) {
  const Id mask = LoopMask(c);
  const std::vector<Id> initial = InitialStates(c);
  const Inner forward = InnerOf(c.config.at("layer"));
  const bool own_backward = c.Has("backward_layer");
  const Inner backward = own_backward ? InnerOf(c.config["backward_layer"]) : forward;
  const std::string scope = c.g.scope();
  std::vector<Id> outputs[2], states;
  bool sequences = false;
  for (const int side : {0, 1}) {
    const Inner& inner = side == 0 ? forward : backward;
    LayerCall call(c.g, c.layer, inner.config, c.weights, c.keras_major);
    call.class_name = inner.class_name;
    call.inputs = {c.input()};
    call.within = side == 0 ? "forward" : "backward";
    RefuseStates(call);
    sequences = call.Bool("return_sequences", false);
    const bool backwards = call.Bool("go_backwards", false) != (side == 1 && !own_backward);
    c.g.SetScope(scope + (side == 0 ? "/forward" : "/backward"));
    const Cell cell = ReadCell(call, inner.class_name, c.g.shape(c.input()).FromEnd(1));
    // The first half of the states is the forward layer's.
    if (!initial.empty() && initial.size() != 2 * static_cast<size_t>(cell.states())) {
      throw InputError("it is given {} states and has {}", initial.size(), 2 * cell.states());
    }
    std::vector<Id> own;
    for (size_t k = 0; k < initial.size() / 2; ++k)
      own.push_back(initial[initial.size() / 2 * static_cast<size_t>(side) + k]);
    const LoopResult result = RunLoop(call, {cell}, c.input(), own, {backwards, sequences, mask, sequences});
    Id output = result.output;
    if (side == 1 && sequences) output = c.g.Reverse("reverse_back", output, 1);
    outputs[side] = {output};
    if (call.Bool("return_state", false)) states.insert(states.end(), result.states.begin(), result.states.end());
  }
  c.g.SetScope(scope);
  const Id out_mask = sequences ? c.Mask() : kNoTensor;
  const Id a = outputs[0][0], b = outputs[1][0];
  std::vector<Id> result;
  const std::string mode =
      c.config.contains("merge_mode") && c.config["merge_mode"].is_null() ? "none" : c.Text("merge_mode", "concat");
  if (mode == "concat") {
    result = {c.g.Concat("concat", {a, b}, c.g.rank(a) - 1)};
  } else if (mode == "sum") {
    result = {c.g.Add("add", a, b)};
  } else if (mode == "mul") {
    result = {c.g.Mul("mul", a, b)};
  } else if (mode == "ave") {
    result = {c.g.Mul("truediv", c.g.Add("add", a, b), c.g.Scalar("half", 0.5F))};
  } else if (mode == "none") {
    result = {a, b};
  } else {
    c.Unsupported("merge_mode '" + mode + "'");
  }
  c.output_masks.assign(result.size(), out_mask);
  result.insert(result.end(), states.begin(), states.end());
  return result;
}

// x [N, T, rows..., C]; a sequence of one dimension is one of pictures of one row.
template <int kRank>
std::vector<Id> ConvLstm(LayerCall& c) {
  RefuseStates(c);
  std::vector<Id> initial = InitialStates(c);
  if (!initial.empty() && initial.size() != 2) throw InputError("it is given {} states and has 2", initial.size());
  Id x = c.input();
  if (c.g.rank(x) != kRank + 3) throw InputError("its input has {} dimensions", c.g.rank(x));
  const auto move_axis = [&](const char* name, Id value, int from, int to) {
    std::vector<int32_t> order(static_cast<size_t>(c.g.rank(value)));
    std::iota(order.begin(), order.end(), 0);
    order.erase(order.begin() + from);
    order.insert(order.begin() + to, from);
    return c.g.Transpose(name, value, order);
  };
  if (c.ChannelsFirst()) x = move_axis("transpose", x, 2, kRank + 2);
  for (Id& state : initial) {
    if (c.g.rank(state) != kRank + 2) throw InputError("a state has {} dimensions", c.g.rank(state));
    if (c.ChannelsFirst()) state = move_axis("transpose_state", state, 1, kRank + 1);
    const std::vector<int32_t> d = c.g.Dims(state);
    if (kRank == 1) state = c.g.Reshape("ExpandDims", state, {d[0], 1, d[1], d[2]});
  }
  Cell cell;
  cell.kind = CellKind::kConvLstm;
  cell.units = static_cast<int32_t>(c.Int("filters"));
  if (cell.units < 1 || cell.units > (1 << 20)) throw InputError("'filters' is {}", cell.units);
  cell.depth = c.g.shape(x).FromEnd(1);
  cell.has_bias = c.Bool("use_bias", true);
  cell.activation = c.config.value("activation", Json("tanh"));
  cell.recurrent_activation = c.config.value("recurrent_activation", Json("hard_sigmoid"));
  std::vector<int32_t> kernel = c.Sizes("kernel_size", kRank), strides = c.Sizes("strides", kRank, 1),
                       dilation = c.Sizes("dilation_rate", kRank, 1);
  const std::string padding = c.Text("padding", "valid");
  if (padding != "valid" && padding != "same") c.Unsupported("padding '" + padding + "'");
  const int32_t width = 4 * cell.units;
  const auto read = [&](const char* name, int32_t in) {
    std::vector<int32_t> dims = kernel;
    dims.push_back(in), dims.push_back(width);
    const std::vector<float> values = c.Floats(name, Shape(dims));
    if (kRank == 3) return values;
    const Shape hwio = {kRank == 1 ? 1 : kernel[0], kernel[kRank - 1], in, width};
    return PermuteValues(values, hwio, {3, 0, 1, 2});
  };
  cell.kernel = read("kernel", cell.depth);
  cell.recurrent = read("recurrent_kernel", cell.units);
  if (cell.has_bias) cell.bias = c.Floats("bias", {width});
  if (kRank == 1) {
    const std::vector<int32_t> d = c.g.Dims(x);
    x = c.g.Reshape("ExpandDims", x, {d[0], d[1], 1, d[2], d[3]});
    for (auto* list : {&kernel, &strides, &dilation}) list->insert(list->begin(), 1);
  }
  cell.kernel_size = kernel;
  const size_t n = kernel.size();
  cell.window = {.stride_h = strides[n - 2],
                 .stride_w = strides[n - 1],
                 .dilation_h = dilation[n - 2],
                 .dilation_w = dilation[n - 1],
                 .padding = padding == "same" ? graph::Padding::kSame : graph::Padding::kValid};
  cell.stride_d = strides[0], cell.dilation_d = dilation[0];
  for (size_t i = 0; i < n; ++i) {
    const int64_t in = c.g.shape(x)[static_cast<int>(i) + 2];
    const int64_t span = (int64_t{kernel[i]} - 1) * dilation[i] + 1;
    const int64_t out = padding == "same" ? (in + strides[i] - 1) / strides[i] : (in - span + strides[i]) / strides[i];
    if (out < 1) throw InputError("its input is smaller than its kernel");
    cell.state_dims.push_back(static_cast<int32_t>(out));
  }
  cell.state_dims.push_back(cell.units);
  LoopResult result = RunLoop(c, {cell}, x, initial, LoopOf(c));
  const auto restore = [&](Id value) {
    if (kRank == 1) {
      std::vector<int32_t> d = c.g.Dims(value);
      d.erase(d.end() - 3);
      value = c.g.Reshape("Squeeze", value, d);
    }
    const int last = c.g.rank(value) - 1;
    return c.ChannelsFirst() ? move_axis("transpose_back", value, last, last - kRank) : value;
  };
  result.output = restore(result.output);
  for (Id& state : result.states) state = restore(state);
  return Results(c, result);
}

constexpr LayerRow kRecurrentRows[] = {
    {"LSTM", Recurrent, "FULLY_CONNECTED, WHILE"},
    {"GRU", Recurrent, "FULLY_CONNECTED, WHILE"},
    {"SimpleRNN", Recurrent, "FULLY_CONNECTED, WHILE"},
    {"RNN", RnnOfCells, "FULLY_CONNECTED, WHILE"},
    {"ConvLSTM1D", ConvLstm<1>, "CONV_2D, WHILE"},
    {"ConvLSTM2D", ConvLstm<2>, "CONV_2D, WHILE"},
    {"ConvLSTM3D", ConvLstm<3>, "CONV_3D, WHILE"},
    {"Bidirectional", Bidirectional, "FULLY_CONNECTED and WHILE twice, REVERSE_V2, CONCATENATION"},
};

}  // namespace

std::span<const LayerRow> RecurrentLayers() { return kRecurrentRows; }

}  // namespace assay::keras
