// One FULLY_CONNECTED or convolution computes the inputs' half of every gate for all steps; a WHILE goes through the
// steps with the states. So nothing is kept from one inference to the next, and any number of samples may run at once.
#include "format/keras/layers/recurrent_cells.h"

#include "base/error.h"
#include "format/keras/masks.h"
#include "graph/ops/control_flow.h"
#include "graph/ops/conv_3d.h"

namespace assay::keras {
namespace {

using graph::Attributes;
using graph::BuiltinOp;
using graph::kNoTensor;

CellKind KindOf(const LayerCall& c, const std::string& class_name) {
  if (class_name == "LSTM" || class_name == "LSTMCell") return CellKind::kLstm;
  if (class_name == "GRU" || class_name == "GRUCell") return CellKind::kGru;
  if (class_name == "SimpleRNN" || class_name == "SimpleRNNCell") return CellKind::kSimple;
  c.Unsupported("a cell of class " + class_name);
}

// CuDNN keeps every gate's matrix the other way round: what stands as [rows, units] are the bytes of [units, rows].
std::vector<float> FromCudnn(const std::vector<float>& values, int32_t rows, int32_t units, int32_t gates) {
  std::vector<float> out(values.size());
  const int64_t width = int64_t{gates} * units;
  for (int64_t gate = 0; gate < gates; ++gate) {
    for (int64_t k = 0; k < int64_t{rows} * units; ++k) {
      const int64_t from = k / units * width + gate * units + k % units;
      const int64_t to = k % rows * width + gate * units + k / rows;
      out[static_cast<size_t>(to)] = values[static_cast<size_t>(from)];
    }
  }
  return out;
}

Id Gate(LayerCall& c, const char* name, Id all, int32_t units, int32_t index) {
  return c.g.Slice(name, all, c.g.rank(all) - 1, index * units, units);
}

Id Weights(LayerCall& c, const char* name, const std::vector<float>& values, int32_t rows, int32_t columns) {
  return c.g.Floats(name, {rows, columns}, values);
}

// A convolution of a cell.
Id Convolve(LayerCall& c, const char* name, Id x, const std::vector<float>& values, const std::vector<int32_t>& size,
            int32_t in, int32_t out, Id bias, const Window& w, int32_t stride_d, int32_t dilation_d) {
  const std::string filter_name = std::string(name) + "/filter";
  if (size.size() == 2) {
    return c.g.Conv2D(name, x, c.g.Floats(filter_name, {out, size[0], size[1], in}, values), bias, w);
  }
  std::vector<Id> inputs = {x, c.g.Floats(filter_name, {size[0], size[1], size[2], in, out}, values)};
  if (bias != kNoTensor) inputs.push_back(bias);
  return c.g.Op(BuiltinOp::kConv3D, name, inputs,
                Attributes::From(graph::Conv3DAttributes{.padding = w.padding,
                                                         .stride_d = stride_d,
                                                         .stride_w = w.stride_w,
                                                         .stride_h = w.stride_h,
                                                         .dilation_d_factor = dilation_d,
                                                         .dilation_w_factor = w.dilation_w,
                                                         .dilation_h_factor = w.dilation_h}));
}

// The states' half of all gates.
Id RecurrentHalf(LayerCall& c, const Cell& cell, Id h) {
  const int32_t u = cell.units, width = cell.gates() * u;
  if (cell.kind == CellKind::kConvLstm) {
    return Convolve(c, "recurrent", h, cell.recurrent, cell.kernel_size, u, width, kNoTensor,
                    {.padding = graph::Padding::kSame}, 1, 1);
  }
  return c.g.FullyConnected("recurrent", h, Weights(c, "recurrent_kernel", cell.recurrent, width, u), kNoTensor);
}

// One step: the gates' input half and the states, to the new states; the first of them is the output.
std::vector<Id> CellStep(LayerCall& c, const Cell& cell, Id x, const std::vector<Id>& states) {
  GraphBuilder& g = c.g;
  const int32_t u = cell.units, width = cell.gates() * u;
  const Id h = states[0];
  const auto bias = [&](const char* name, const std::vector<float>& values) {
    return values.empty() ? kNoTensor : g.Floats(name, {static_cast<int32_t>(values.size())}, values);
  };
  if (cell.kind == CellKind::kSimple) {
    const Id sum = g.Add(
        "add", x, g.FullyConnected("recurrent", h, Weights(c, "recurrent_kernel", cell.recurrent, u, u), kNoTensor));
    return {c.Activate(sum, cell.activation)};
  }
  if (cell.is_lstm()) {
    const Id all = g.Add("gates", x, RecurrentHalf(c, cell, h));
    const Id i = c.Activate(Gate(c, "input_gate", all, u, 0), cell.recurrent_activation);
    const Id f = c.Activate(Gate(c, "forget_gate", all, u, 1), cell.recurrent_activation);
    const Id candidate = c.Activate(Gate(c, "candidate", all, u, 2), cell.activation);
    const Id o = c.Activate(Gate(c, "output_gate", all, u, 3), cell.recurrent_activation);
    const Id carry = g.Add("carry", g.Mul("kept", f, states[1]), g.Mul("added", i, candidate));
    return {g.Mul("hidden", o, c.Activate(carry, cell.activation)), carry};
  }
  // GRU: z, r, candidate.
  Id z, r, candidate;
  if (cell.reset_after) {
    const Id inner = g.FullyConnected("recurrent", h, Weights(c, "recurrent_kernel", cell.recurrent, width, u),
                                      bias("recurrent_bias", cell.recurrent_bias));
    z = c.Activate(g.Add("update", Gate(c, "x_z", x, u, 0), Gate(c, "h_z", inner, u, 0)), cell.recurrent_activation);
    r = c.Activate(g.Add("reset", Gate(c, "x_r", x, u, 1), Gate(c, "h_r", inner, u, 1)), cell.recurrent_activation);
    const Id reset = g.Mul("reset_state", r, Gate(c, "h_h", inner, u, 2));
    candidate = c.Activate(g.Add("candidate", Gate(c, "x_h", x, u, 2), reset), cell.activation);
  } else {
    const auto rows = [&](int first, int count) {
      const auto begin = cell.recurrent.begin() + int64_t{first} * u * u;
      return std::vector<float>(begin, begin + int64_t{count} * u * u);
    };
    const Id zr = g.FullyConnected("recurrent", h, Weights(c, "recurrent_kernel", rows(0, 2), 2 * u, u), kNoTensor);
    z = c.Activate(g.Add("update", Gate(c, "x_z", x, u, 0), Gate(c, "h_z", zr, u, 0)), cell.recurrent_activation);
    r = c.Activate(g.Add("reset", Gate(c, "x_r", x, u, 1), Gate(c, "h_r", zr, u, 1)), cell.recurrent_activation);
    const Id reset = g.FullyConnected("recurrent_candidate", g.Mul("reset_state", r, h),
                                      Weights(c, "recurrent_kernel_h", rows(2, 1), u, u), kNoTensor);
    candidate = c.Activate(g.Add("candidate", Gate(c, "x_h", x, u, 2), reset), cell.activation);
  }
  // z * h + (1 - z) * candidate
  const Id rest = g.Sub("rest", g.Scalar("one", 1), z);
  return {g.Add("hidden", g.Mul("kept", z, h), g.Mul("added", rest, candidate))};
}

// The first cell's input half, for all steps at once: [N, T, state_dims with all gates].
Id InputHalf(LayerCall& c, const Cell& cell, Id x) {
  GraphBuilder& g = c.g;
  const int32_t width = cell.gates() * cell.units;
  const Id bias = cell.bias.empty() ? kNoTensor : g.Floats("bias", {width}, cell.bias);
  if (cell.kind != CellKind::kConvLstm) {
    return g.FullyConnected("kernel/MatMul", x, Weights(c, "kernel", cell.kernel, width, cell.depth), bias);
  }
  const std::vector<int32_t> d = g.Dims(x);
  std::vector<int32_t> merged(d.begin() + 1, d.end()), split = {d[0], d[1]};
  merged[0] = d[0] < 0 ? -1 : d[0] * d[1];
  const Id y = Convolve(c, "kernel", g.Reshape("kernel/merge", x, merged), cell.kernel, cell.kernel_size, cell.depth,
                        width, bias, cell.window, cell.stride_d, cell.dilation_d);
  split.insert(split.end(), g.shape(y).dims().begin() + 1, g.shape(y).dims().end());
  return g.Reshape("kernel/split", y, split);
}

// [N] as a condition on a tensor of this rank.
Id Spread(LayerCall& c, const char* name, Id mask, int rank) {
  std::vector<int32_t> dims = c.g.Dims(mask);
  dims.resize(static_cast<size_t>(rank), 1);
  return c.g.Reshape(name, mask, dims);
}

}  // namespace

Cell ReadCell(LayerCall& c, const std::string& class_name, int32_t depth) {
  Cell cell;
  cell.kind = KindOf(c, class_name);
  const bool cudnn = c.Bool("cudnn", false);
  cell.units = static_cast<int32_t>(c.Int("units"));
  if (cell.units < 1 || cell.units > (1 << 20)) throw InputError("'units' is {}", cell.units);
  cell.depth = depth;
  cell.state_dims = {cell.units};
  cell.has_bias = c.Bool("use_bias", true);
  cell.reset_after = cell.kind == CellKind::kGru && (cudnn || c.Bool("reset_after", c.keras_major >= 3));
  cell.activation = c.config.value("activation", Json("tanh"));
  cell.recurrent_activation =
      c.config.value("recurrent_activation", Json(c.keras_major == 1 && !cudnn ? "hard_sigmoid" : "sigmoid"));
  const int32_t width = cell.gates() * cell.units;
  std::vector<float> kernel = c.Floats("kernel", {depth, width});
  std::vector<float> recurrent = c.Floats("recurrent_kernel", {cell.units, width});
  if (cudnn) {
    kernel = FromCudnn(kernel, depth, cell.units, cell.gates());
    recurrent = FromCudnn(recurrent, cell.units, cell.units, cell.gates());
  }
  cell.kernel = PermuteValues(kernel, {depth, width}, {1, 0});
  cell.recurrent = PermuteValues(recurrent, {cell.units, width}, {1, 0});
  if (cudnn) {  // all biases of the inputs, then all of the states
    const std::vector<float> both = c.Floats("bias", {2 * width});
    cell.bias.assign(both.begin(), both.begin() + width);
    cell.recurrent_bias.assign(both.begin() + width, both.end());
    if (cell.kind == CellKind::kLstm) {
      for (size_t i = 0; i < cell.bias.size(); ++i) cell.bias[i] += cell.recurrent_bias[i];
      cell.recurrent_bias.clear();
    }
    return cell;
  }
  if (cell.has_bias && cell.reset_after) {
    const std::vector<float> both = c.Floats("bias", {2, width});
    cell.bias.assign(both.begin(), both.begin() + width);
    cell.recurrent_bias.assign(both.begin() + width, both.end());
  } else if (cell.has_bias) {
    cell.bias = c.Floats("bias", {width});
  }
  return cell;
}

LoopResult RunLoop(LayerCall& c, const std::vector<Cell>& cells, Id x, const std::vector<Id>& initial,
                   const Loop& loop) {
  GraphBuilder& g = c.g;
  if (cells[0].kind != CellKind::kConvLstm && g.rank(x) != 3) {
    throw InputError("its input has {} dimensions, expected 3", g.rank(x));
  }
  const int32_t steps = g.shape(x)[1];
  const std::string scope = g.scope();
  if (loop.backwards) x = g.Reverse("reverse", x, 1);
  const Id mask = loop.mask != kNoTensor && loop.backwards ? g.Reverse("reverse_mask", loop.mask, 1) : loop.mask;
  const Id projected = InputHalf(c, cells[0], x);
  std::vector<Id> states = initial;
  if (states.empty()) {
    for (const Cell& cell : cells) {
      for (int s = 0; s < cell.states(); ++s) states.push_back(g.FillLike("zeros", x, cell.state_dims, 0));
    }
  }
  const Cell& last = cells.back();
  std::vector<Id> variables = {g.IntScalar("time", 0), projected};
  const size_t outputs_at = variables.size();
  if (loop.sequences) {
    std::vector<int32_t> all = {steps};
    all.insert(all.end(), last.state_dims.begin(), last.state_dims.end());
    variables.push_back(g.FillLike("outputs", x, all, 0));
  }
  const size_t mask_at = variables.size();
  if (mask != kNoTensor) variables.push_back(mask);
  // What a masked step repeats: the output of the step before, zeros in front of the first. Where the states begin as
  // zeros, that is the last cell's state.
  const size_t previous_at = variables.size();
  const bool keeps_previous = mask != kNoTensor && !initial.empty() && !loop.zero_if_masked;
  if (keeps_previous) variables.push_back(g.FillLike("no_output", x, last.state_dims, 0));
  const size_t states_at = variables.size();
  variables.insert(variables.end(), states.begin(), states.end());
  const auto inputs_like = [&] {
    // Names and shapes of the loop's variables as inputs of a subgraph.
    std::vector<std::tuple<std::string, DType, std::vector<int32_t>>> list;
    list.reserve(variables.size());
    for (const Id v : variables) list.emplace_back(g.info(v).name, g.info(v).dtype, g.Dims(v));
    return list;
  }();
  const auto bind = [&] {
    std::vector<Id> ids;
    ids.reserve(inputs_like.size());
    for (const auto& [name, dtype, dims] : inputs_like) ids.push_back(g.Input(name, dtype, dims));
    return ids;
  };
  const int cond = g.BeginSubgraph(scope + "/while_cond");
  {
    const std::vector<Id> in = bind();
    const Id go = g.Op(BuiltinOp::kLess, "while/Less", {in[0], g.IntScalar("while/steps", steps)}, {}, DType::kBool);
    g.EndSubgraph({go});
  }
  const int body = g.BeginSubgraph(scope + "/while_body");
  {
    const std::vector<Id> in = bind();
    std::vector<Id> out = {g.Add("while/next", in[0], g.IntScalar("while/one", 1)), in[1]};
    Id step = g.Gather("while/step", in[1], in[0], 1);
    const Id counts = mask == kNoTensor ? kNoTensor : g.Gather("while/mask", in[mask_at], in[0], 1);
    const auto masked = [&](const char* name, Id fresh, Id old) {
      if (counts == kNoTensor) return fresh;
      return Where(g, name, Spread(c, "while/condition", counts, g.rank(fresh)), fresh, old);
    };
    std::vector<Id> new_states;
    size_t at = states_at;
    for (size_t k = 0; k < cells.size(); ++k) {
      const Cell& cell = cells[k];
      if (k > 0) {
        const int32_t w = cell.gates() * cell.units;
        const Id b = cell.bias.empty() ? kNoTensor : g.Floats("while/bias", {w}, cell.bias);
        step = g.FullyConnected("while/kernel", step, Weights(c, "while/kernel", cell.kernel, w, cell.depth), b);
      }
      const std::vector<Id> old(in.begin() + static_cast<std::ptrdiff_t>(at),
                                in.begin() + static_cast<std::ptrdiff_t>(at) + cell.states());
      g.SetScope(scope + "/while");
      const std::vector<Id> next = CellStep(c, cell, step, old);
      g.SetScope(scope);
      for (size_t s = 0; s < next.size(); ++s) new_states.push_back(masked("while/state", next[s], old[s]));
      at += static_cast<size_t>(cell.states());
      step = next[0];
    }
    Id output = step;
    if (keeps_previous) {
      output = masked("while/output", step, in[previous_at]);
    } else if (mask != kNoTensor && loop.zero_if_masked) {
      output = masked("while/output", step, g.Scalar("while/no_output", 0));
    } else if (mask != kNoTensor) {
      output = new_states[new_states.size() - static_cast<size_t>(last.states())];
    }
    if (loop.sequences) {
      std::vector<int32_t> d = g.Dims(output);
      d.insert(d.begin() + 1, 1);
      const Id row = g.Reshape("while/row", output, d);
      const Id zero = g.Ints("while/zero", {0});
      const Id zeros = g.Ints("while/zeros", std::vector<int32_t>(last.state_dims.size(), 0));
      const Id time = g.Reshape("while/time", in[0], {1});
      const Id start = g.Concat("while/start", {zero, time, zeros}, 0);
      out.push_back(g.Op(BuiltinOp::kDynamicUpdateSlice, "while/outputs", {in[outputs_at], row, start}));
    }
    if (mask != kNoTensor) out.push_back(in[mask_at]);
    if (keeps_previous) out.push_back(output);
    out.insert(out.end(), new_states.begin(), new_states.end());
    g.EndSubgraph(out);
  }
  const std::vector<Id> results =
      g.OpsLike(BuiltinOp::kWhile, "while", variables, Attributes::From(graph::WhileAttributes{cond, body}), variables);
  LoopResult result;
  result.states.assign(results.begin() + static_cast<std::ptrdiff_t>(states_at), results.end());
  size_t last_state = result.states.size() - static_cast<size_t>(last.states());
  result.output = loop.sequences   ? results[outputs_at]
                  : keeps_previous ? results[previous_at]
                                   : result.states[last_state];
  return result;
}

}  // namespace assay::keras
