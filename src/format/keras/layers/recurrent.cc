// LSTM, GRU, SimpleRNN, RNN of cells, and Bidirectional. The inputs' half of every gate is one FULLY_CONNECTED over all
// steps; a WHILE goes through the steps with the state. So nothing is kept from one inference to the next, and any
// number of samples may run at once.
#include "base/error.h"
#include "format/keras/layer_call.h"
#include "graph/ops/concatenation.h"
#include "graph/ops/control_flow.h"
#include "graph/ops/shape.h"

namespace assay::keras {
namespace {

using graph::Attributes;
using graph::BuiltinOp;
using graph::kNoTensor;

enum class Kind { kLstm, kGru, kSimple };

struct Cell {
  Kind kind = Kind::kLstm;
  int32_t units = 0;
  bool has_bias = true, reset_after = true;
  Json activation, recurrent_activation;
  // As constants' values: [gates * units, depth], [gates * units, units], biases of the inputs and the states.
  int32_t depth = 0;
  std::vector<float> kernel, recurrent, bias, recurrent_bias;

  int32_t gates() const { return kind == Kind::kLstm ? 4 : kind == Kind::kGru ? 3 : 1; }
  int states() const { return kind == Kind::kLstm ? 2 : 1; }
};

Kind KindOf(const LayerCall& c, const std::string& class_name) {
  if (class_name == "LSTM" || class_name == "LSTMCell") return Kind::kLstm;
  if (class_name == "GRU" || class_name == "GRUCell") return Kind::kGru;
  if (class_name == "SimpleRNN" || class_name == "SimpleRNNCell") return Kind::kSimple;
  c.Unsupported("a cell of class " + class_name);
}

// `c` has the cell's config and `within` its part of the weights.
Cell ReadCell(LayerCall& c, const std::string& class_name, int32_t depth) {
  Cell cell;
  cell.kind = KindOf(c, class_name);
  if (c.Bool("cudnn", false)) c.Unsupported("the layout of CuDNN's weights");
  cell.units = static_cast<int32_t>(c.Int("units"));
  if (cell.units < 1 || cell.units > (1 << 20)) throw InputError("'units' is {}", cell.units);
  cell.depth = depth;
  cell.has_bias = c.Bool("use_bias", true);
  cell.reset_after = cell.kind == Kind::kGru && c.Bool("reset_after", c.keras_major >= 3);
  cell.activation = c.config.value("activation", Json("tanh"));
  cell.recurrent_activation =
      c.config.value("recurrent_activation", Json(c.keras_major == 1 ? "hard_sigmoid" : "sigmoid"));
  const int32_t width = cell.gates() * cell.units;
  cell.kernel = PermuteValues(c.Floats("kernel", {depth, width}), {depth, width}, {1, 0});
  cell.recurrent = PermuteValues(c.Floats("recurrent_kernel", {cell.units, width}), {cell.units, width}, {1, 0});
  if (cell.has_bias && cell.reset_after) {
    const std::vector<float> both = c.Floats("bias", {2, width});
    cell.bias.assign(both.begin(), both.begin() + width);
    cell.recurrent_bias.assign(both.begin() + width, both.end());
  } else if (cell.has_bias) {
    cell.bias = c.Floats("bias", {width});
  }
  return cell;
}

Id Gate(LayerCall& c, const char* name, Id all, int32_t units, int32_t index) {
  return c.g.Slice(name, all, 1, index * units, units);
}

Id Weights(LayerCall& c, const char* name, const std::vector<float>& values, int32_t rows, int32_t columns) {
  return c.g.Floats(name, {rows, columns}, values);
}

// One step: the gates' input half and the states, to the new states; the first of them is the output.
std::vector<Id> CellStep(LayerCall& c, const Cell& cell, Id x, const std::vector<Id>& states) {
  GraphBuilder& g = c.g;
  const int32_t u = cell.units, width = cell.gates() * u;
  const Id h = states[0];
  const auto bias = [&](const char* name, const std::vector<float>& values) {
    return values.empty() ? kNoTensor : g.Floats(name, {static_cast<int32_t>(values.size())}, values);
  };
  if (cell.kind == Kind::kSimple) {
    const Id sum = g.Add(
        "add", x, g.FullyConnected("recurrent", h, Weights(c, "recurrent_kernel", cell.recurrent, u, u), kNoTensor));
    return {c.Activate(sum, cell.activation)};
  }
  if (cell.kind == Kind::kLstm) {
    const Id recurrent =
        g.FullyConnected("recurrent", h, Weights(c, "recurrent_kernel", cell.recurrent, width, u), kNoTensor);
    const Id all = g.Add("gates", x, recurrent);
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

struct Loop {
  bool backwards = false, sequences = false;
};

struct LoopResult {
  Id output = kNoTensor;  // the last step's, or all steps' [N, T, units]
  std::vector<Id> states;
};

// Runs the cells over the steps of x [N, T, D]; `initial` are the states to begin with, or none.
LoopResult RunLoop(LayerCall& c, const std::vector<Cell>& cells, Id x, const std::vector<Id>& initial,
                   const Loop& loop) {
  GraphBuilder& g = c.g;
  if (g.rank(x) != 3) throw InputError("its input has {} dimensions, expected 3", g.rank(x));
  const int32_t steps = g.shape(x)[1];
  const std::string scope = g.scope();
  if (loop.backwards) x = g.Reverse("reverse", x, 1);
  // The first cell's input half, for all steps at once.
  const Cell& first = cells[0];
  const int32_t width = first.gates() * first.units;
  const Id bias = first.bias.empty() ? kNoTensor : g.Floats("bias", {width}, first.bias);
  const Id projected =
      g.FullyConnected("kernel/MatMul", x, Weights(c, "kernel", first.kernel, width, first.depth), bias);
  std::vector<Id> states = initial;
  if (states.empty()) {
    for (const Cell& cell : cells) {
      for (int s = 0; s < cell.states(); ++s) states.push_back(g.FillLike("zeros", x, {cell.units}, 0));
    }
  }
  const Cell& last = cells.back();
  std::vector<Id> variables = {g.IntScalar("time", 0), projected};
  if (loop.sequences) variables.push_back(g.FillLike("outputs", x, {steps, last.units}, 0));
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
      new_states.insert(new_states.end(), next.begin(), next.end());
      at += static_cast<size_t>(cell.states());
      step = next[0];
    }
    if (loop.sequences) {
      const std::vector<int32_t> d = g.Dims(step);
      const Id row = g.Reshape("while/row", step, {d[0], 1, last.units});
      const Id zero = g.Ints("while/zero", {0});
      const Id time = g.Reshape("while/time", in[0], {1});
      const Id start = g.Concat("while/start", {zero, time, zero}, 0);
      out.push_back(g.Op(BuiltinOp::kDynamicUpdateSlice, "while/outputs", {in[2], row, start}));
    }
    out.insert(out.end(), new_states.begin(), new_states.end());
    g.EndSubgraph(out);
  }
  const std::vector<Id> results =
      g.OpsLike(BuiltinOp::kWhile, "while", variables, Attributes::From(graph::WhileAttributes{cond, body}), variables);
  LoopResult result;
  result.states.assign(results.begin() + static_cast<std::ptrdiff_t>(states_at), results.end());
  size_t last_state = result.states.size() - static_cast<size_t>(last.states());
  result.output = loop.sequences ? results[2] : result.states[last_state];
  return result;
}

void CheckMask(const LayerCall& c) {
  if (const Argument mask = c.Arg(99, "mask"); mask.tensor.has_value()) c.Unsupported("a mask");
}

std::vector<Id> InitialStates(LayerCall& c) {
  if (c.inputs.size() > 1) return {c.inputs.begin() + 1, c.inputs.end()};
  return {};
}

std::vector<Id> Results(const LayerCall& c, const LoopResult& result) {
  std::vector<Id> out = {result.output};
  if (c.Bool("return_state", false)) out.insert(out.end(), result.states.begin(), result.states.end());
  return out;
}

std::vector<Id> Recurrent(LayerCall& c) {
  CheckMask(c);
  if (c.Bool("stateful", false)) c.Unsupported("'stateful'");
  if (c.Bool("time_major", false)) c.Unsupported("'time_major'");
  const Cell cell = ReadCell(c, c.class_name, c.g.shape(c.input()).FromEnd(1));
  const std::vector<Id> initial = InitialStates(c);
  if (!initial.empty() && initial.size() != static_cast<size_t>(cell.states())) {
    throw InputError("it is given {} states and has {}", initial.size(), cell.states());
  }
  return Results(
      c, RunLoop(c, {cell}, c.input(), initial, {c.Bool("go_backwards", false), c.Bool("return_sequences", false)}));
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
  CheckMask(c);
  if (c.Bool("stateful", false)) c.Unsupported("'stateful'");
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
  return Results(c,
                 RunLoop(c, cells, c.input(), {}, {c.Bool("go_backwards", false), c.Bool("return_sequences", false)}));
}

std::vector<Id> Bidirectional(LayerCall& c) {
  CheckMask(c);
  if (c.inputs.size() > 1) c.Unsupported("initial states of a bidirectional layer");
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
    sequences = call.Bool("return_sequences", false);
    const bool backwards = call.Bool("go_backwards", false) != (side == 1 && !own_backward);
    c.g.SetScope(scope + (side == 0 ? "/forward" : "/backward"));
    const Cell cell = ReadCell(call, inner.class_name, c.g.shape(c.input()).FromEnd(1));
    const LoopResult result = RunLoop(call, {cell}, c.input(), {}, {backwards, sequences});
    Id output = result.output;
    if (side == 1 && sequences) output = c.g.Reverse("reverse_back", output, 1);
    outputs[side] = {output};
    if (call.Bool("return_state", false)) states.insert(states.end(), result.states.begin(), result.states.end());
  }
  c.g.SetScope(scope);
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
  result.insert(result.end(), states.begin(), states.end());
  return result;
}

constexpr LayerRow kRecurrentRows[] = {
    {"LSTM", Recurrent, "FULLY_CONNECTED, WHILE"},
    {"GRU", Recurrent, "FULLY_CONNECTED, WHILE"},
    {"SimpleRNN", Recurrent, "FULLY_CONNECTED, WHILE"},
    {"RNN", RnnOfCells, "FULLY_CONNECTED, WHILE"},
    {"Bidirectional", Bidirectional, "FULLY_CONNECTED and WHILE twice, REVERSE_V2, CONCATENATION"},
};

}  // namespace

std::span<const LayerRow> RecurrentLayers() { return kRecurrentRows; }

}  // namespace assay::keras
