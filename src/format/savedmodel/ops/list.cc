// Lists of tensors, as recurrent layers use them: a list is one tensor [count, element...].
#include <algorithm>

#include "format/savedmodel/node_call.h"
#include "graph/ops/concatenation.h"
#include "graph/ops/shape.h"

namespace assay::savedmodel {
namespace {

using graph::Attributes;
using graph::BuiltinOp;
using Kind = GraphBuilder::Kind;

const TensorList& ListIn(const Call& c, size_t i) {
  if (i >= c.size() || c.inputs[i].kind != Value::Kind::kList) throw InputError("its input {} is no list", i);
  return c.inputs[i].list;
}

void ReturnList(Call& c, TensorList list) {
  Value value = Value::Of(Value::Kind::kList);
  value.list = std::move(list);
  c.results.push_back(value);
}

// [count, element...]
Kind Whole(const Kind& element, int64_t count_low, int64_t count_high) {
  const auto whole = [](const Shape& shape, int64_t count) {
    std::vector<int32_t> dims = {static_cast<int32_t>(count)};
    dims.insert(dims.end(), shape.dims().begin(), shape.dims().end());
    return Shape(dims);
  };
  return {element.dtype, whole(element.low, count_low), whole(element.high, count_high)};
}

// An element's shape where the operand gives it wholly.
std::optional<Kind> ElementOf(const Call& c, size_t i, DType dtype) {
  const auto low = c.g.IntValues(c.In(i), false), high = c.g.IntValues(c.In(i), true);
  if (!low.has_value() || !high.has_value() || c.g.rank(c.In(i)) != 1 || low->size() != high->size())
    return std::nullopt;
  Kind kind{dtype, {}, {}};
  std::vector<int32_t> dims[2];
  for (const auto* values : {&*low, &*high}) {
    for (const int64_t dim : *values) {
      if (dim < 0 || dim > INT32_MAX) return std::nullopt;
      dims[values == &*low ? 0 : 1].push_back(static_cast<int32_t>(dim));
    }
  }
  kind.low = Shape(dims[0]), kind.high = Shape(dims[1]);
  return kind;
}

// A scalar with the size of an open dimension, from an input of the subgraph with such a one.
std::optional<Id> OpenSize(Call& c, const std::string& name, int32_t low, int32_t high) {
  for (const Id input : std::vector<Id>(c.g.inputs())) {
    const Kind kind = c.g.KindOf(input);
    for (int d = 0; d < kind.low.rank(); ++d) {
      if (kind.low[d] != low || kind.high[d] != high) continue;
      const Id shape =
          c.g.Op(BuiltinOp::kShape, name + "/Shape", {input},
                 Attributes::From(graph::ShapeAttributes{static_cast<int32_t>(DType::kInt32)}), DType::kInt32);
      return c.g.Select(name, shape, 0, d);
    }
  }
  return std::nullopt;
}

void FromTensor(Call& c) {
  TensorList list;
  list.tensor = c.In(0);
  list.dtype = c.g.info(list.tensor).dtype;
  if (c.g.rank(list.tensor) < 1) throw InputError("it makes a list of a single number");
  ReturnList(c, list);
}

void Reserve(Call& c) {
  TensorList list;
  list.dtype = DTypeOfTensorFlow(c.Type("element_dtype", kTfFloat));
  list.count = c.In(1);
  list.element = ElementOf(c, 0, list.dtype);
  if (list.element.has_value()) list.tensor = MaterializeList(c, list);
  ReturnList(c, list);
}

// The list's tensor [count, element...] at `index`.
void GetItem(Call& c) {
  const TensorList& list = ListIn(c, 0);
  if (list.tensor == graph::kNoTensor) throw Unsupported{"it reads a list before anything was written to it"};
  c.Return(c.g.Gather(c.name, list.tensor, c.In(1), 0));
}

void SetItem(Call& c) {
  TensorList list = ListIn(c, 0);
  GraphBuilder& g = c.g;
  const Id item = c.In(2);
  if (list.learned != nullptr) *list.learned = g.KindOf(item);
  if (list.tensor == graph::kNoTensor && list.learned == nullptr) {
    list.element = g.KindOf(item);
    list.tensor = MaterializeList(c, list);
  }
  if (list.tensor == graph::kNoTensor) return ReturnList(c, list);
  const Id whole = list.tensor;
  if (g.rank(whole) != g.rank(item) + 1)
    throw InputError("it writes {} dimensions to a list of {}", g.rank(item), g.rank(whole) - 1);
  std::vector<int32_t> dims = g.Dims(item);
  dims.insert(dims.begin(), 1);
  const Id row = ReshapeTo(c, c.name + "/row", item, dims);
  const Id index = g.Reshape(c.name + "/index", c.AsInt32(c.In(1), "/index32"), {1});
  std::vector<Id> start = {index};
  if (g.rank(item) > 0)
    start.push_back(g.Ints(c.name + "/zeros", std::vector<int32_t>(static_cast<size_t>(g.rank(item)), 0)));
  const Id begin = start.size() == 1 ? index : g.Concat(c.name + "/start", start, 0);
  list.tensor = g.Op(BuiltinOp::kDynamicUpdateSlice, c.name, {whole, row, begin});
  ReturnList(c, list);
}

void Stack(Call& c) {
  const TensorList& list = ListIn(c, 0);
  if (list.tensor == graph::kNoTensor) throw Unsupported{"it stacks a list that nothing was written to"};
  c.Return(list.tensor);
}

void Length(Call& c) {
  const TensorList& list = ListIn(c, 0);
  if (list.tensor == graph::kNoTensor) return c.Return(c.AsInt32(list.count, "/count"));
  const Id shape = c.g.Op(BuiltinOp::kShape, c.name + "/Shape", {list.tensor},
                          Attributes::From(graph::ShapeAttributes{static_cast<int32_t>(DType::kInt32)}), DType::kInt32);
  c.Return(c.g.Select(c.name, shape, 0, 0));
}

constexpr OpRow kListRows[] = {
    {"TensorListFromTensor", FromTensor}, {"TensorListReserve", Reserve}, {"TensorListGetItem", GetItem},
    {"TensorListSetItem", SetItem},       {"TensorListStack", Stack},     {"TensorListLength", Length},
};

}  // namespace

Id MaterializeList(Call& c, const TensorList& list) {
  GraphBuilder& g = c.g;
  if (list.count == graph::kNoTensor || !list.element.has_value()) throw Unsupported{"a list in a loop within a loop"};
  const auto low = g.IntValues(list.count, false), high = g.IntValues(list.count, true);
  if (!low.has_value() || !high.has_value() || low->size() != 1 || high->size() != 1 || (*low)[0] < 0 ||
      (*low)[0] > (1 << 24) || (*high)[0] < 0 || (*high)[0] > (1 << 24)) {
    throw Unsupported{"a list whose length is computed when the model runs"};
  }
  const Kind kind = Whole(*list.element, (*low)[0], (*high)[0]);
  const std::string name = c.name + "/list";
  const Id zero = g.Cast(name + "/zero", g.Scalar(name + "/value", 0), kind.dtype);
  // Open dimensions are taken from an input that has them.
  std::vector<Id> parts;
  bool any_open = false;
  for (int d = 0; d < kind.low.rank(); ++d) {
    const std::string part = fmt::format("{}/dim_{}", name, d);
    if (kind.low[d] == kind.high[d]) {
      parts.push_back(g.IntScalar(part, kind.low[d]));
      continue;
    }
    any_open = true;
    const std::optional<Id> size = OpenSize(c, part, kind.low[d], kind.high[d]);
    if (!size.has_value()) throw Unsupported{"a list whose elements have an open shape"};
    parts.push_back(*size);
  }
  const Id size = any_open ? g.Op(BuiltinOp::kPack, name + "/dims", parts,
                                  Attributes::From(graph::PackAttributes{static_cast<int32_t>(parts.size()), 0}))
                           : g.Ints(name + "/dims", kind.low.dims());
  return g.Op(BuiltinOp::kFill, name, {size, zero}, {}, kind.dtype);
}

std::span<const OpRow> ListOps() { return kListRows; }

}  // namespace assay::savedmodel
