#include "graph/verifier.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "base/error.h"
#include "base/utf8.h"
#include "graph/sparsity_verifier.h"
#include "tensor/real_values.h"

namespace assay::graph {
namespace {

constexpr SubgraphReference kSubgraphReferences[] = {
    {"CallOptions", "subgraph"},
    {"IfOptions", "then_subgraph_index"},
    {"IfOptions", "else_subgraph_index"},
    {"CallOnceOptions", "init_subgraph_index"},
    {"WhileOptions", "cond_subgraph_index"},
    {"WhileOptions", "body_subgraph_index"},
    {"StablehloReduceOptions", "body_subgraph_index"},
    {"StablehloReduceWindowOptions", "body_subgraph_index"},
    {"StablehloSortOptions", "comparator_subgraph_index"},
    {"StablehloScatterOptions", "update_computation_subgraph_index"},
    {"StablehloWhileOptions", "cond_subgraph_index"},
    {"StablehloWhileOptions", "body_subgraph_index"},
    {"StableHLOCompositeOptions", "decomposition_subgraph_index"},
    {"StablehloCaseOptions", "branch_subgraph_indices", true},
    {"StablehloCustomCallOptions", "called_computations", true},
};

bool IsInteger(DType dtype) {
  return IsQuantizedInteger(dtype) || dtype == DType::kInt32 || dtype == DType::kInt64 || dtype == DType::kUInt16 ||
         dtype == DType::kUInt32 || dtype == DType::kUInt64;
}

class Verifier {
 public:
  Verifier(const Model& model, const Limits& limits) : model_(model), limits_(limits) {}

  void Run() {
    const size_t count = model_.subgraphs.size();
    if (count == 0) throw InputError("the model has no subgraph");
    if (count > limits_.max_subgraphs) {
      throw InputError("the model has {} subgraphs; the limit is {}", count, limits_.max_subgraphs);
    }
    uint64_t tensors = 0, operators = 0;
    for (const Subgraph& subgraph : model_.subgraphs) {
      tensors += subgraph.tensors.size();
      operators += subgraph.operators.size();
    }
    if (tensors > limits_.max_tensors) {
      throw InputError("the model has {} tensors; the limit is {}", tensors, limits_.max_tensors);
    }
    if (operators > limits_.max_operators) {
      throw InputError("the model has {} operators; the limit is {}", operators, limits_.max_operators);
    }
    for (size_t i = 0; i < count; ++i) {
      InContext([&] { return fmt::format("subgraph {}", i); }, [&] { CheckSubgraph(model_.subgraphs[i]); });
    }
    CheckCalls();
    for (size_t i = 0; i < model_.signatures.size(); ++i) {
      const Signature& signature = model_.signatures[i];
      InContext([&] { return fmt::format("signature {} \"{}\"", i, Printable(signature.key)); },
                [&] { CheckSignature(signature); });
    }
    for (size_t i = 0; i < model_.external_buffers.size(); ++i) {
      if (model_.external_buffers[i].group >= model_.external_buffer_groups.size()) {
        throw InputError("external buffer {}: it is of group {}, the model has {}", i, model_.external_buffers[i].group,
                         model_.external_buffer_groups.size());
      }
    }
  }

 private:
  void CheckSubgraph(const Subgraph& subgraph) {
    const auto tensors = static_cast<int64_t>(subgraph.tensors.size());
    if (subgraph.tensors.size() > INT32_MAX) throw InputError("more tensors than an index can name");
    for (size_t i = 0; i < subgraph.tensors.size(); ++i) {
      const Tensor& tensor = subgraph.tensors[i];
      InContext([&] { return fmt::format("tensor {} \"{}\"", i, Printable(tensor.name)); },
                [&] { CheckTensor(tensor, tensors); });
    }

    // What a tensor's value comes from, as far as the operators so far go.
    enum class Source : uint8_t { kNone, kInput, kConstant, kVariable, kOperator };
    std::vector<Source> source(subgraph.tensors.size(), Source::kNone);
    std::vector<uint32_t> producer(subgraph.tensors.size(), 0);
    for (size_t i = 0; i < subgraph.tensors.size(); ++i) {
      const Tensor& tensor = subgraph.tensors[i];
      if (tensor.data || tensor.external_buffer != 0) source[i] = Source::kConstant;
      if (tensor.is_variable) source[i] = Source::kVariable;
    }
    for (size_t i = 0; i < subgraph.inputs.size(); ++i) {
      const int32_t t = subgraph.inputs[i];
      if (t < 0 || t >= tensors) throw InputError("input {} is tensor {}, the subgraph has {}", i, t, tensors);
      const auto at = static_cast<size_t>(t);
      if (source[at] == Source::kConstant) {
        throw InputError("input {} is tensor {} \"{}\", which is a constant", i, t,
                         Printable(subgraph.tensors[at].name));
      }
      source[at] = Source::kInput;
    }
    for (size_t n = 0; n < subgraph.operators.size(); ++n) {
      const Operator& op = subgraph.operators[n];
      InContext([&] { return fmt::format("op {} {}", n, Printable(op.Name())); },
                [&] {
                  for (size_t i = 0; i < op.inputs.size(); ++i) {
                    const int32_t t = op.inputs[i];
                    if (t == kNoTensor) continue;
                    if (t < 0 || t >= tensors)
                      throw InputError("input {} is tensor {}, the subgraph has {}", i, t, tensors);
                    const auto at = static_cast<size_t>(t);
                    if (source[at] == Source::kNone) {
                      throw InputError(
                          "input {} is tensor {} \"{}\", which is neither computed before nor an input nor a constant",
                          i, t, Printable(subgraph.tensors[at].name));
                    }
                  }
                  for (size_t i = 0; i < op.outputs.size(); ++i) {
                    const int32_t t = op.outputs[i];
                    if (t < 0 || t >= tensors)
                      throw InputError("output {} is tensor {}, the subgraph has {}", i, t, tensors);
                    const auto at = static_cast<size_t>(t);
                    const auto refuse = [&](const std::string& why) {
                      throw InputError("output {} is tensor {} \"{}\", which {}", i, t,
                                       Printable(subgraph.tensors[at].name), why);
                    };
                    if (source[at] == Source::kConstant) refuse("is a constant");
                    if (source[at] == Source::kInput) refuse("is an input of the subgraph");
                    if (source[at] == Source::kVariable) refuse("is a variable");
                    if (source[at] == Source::kOperator) refuse(fmt::format("op {} already computes", producer[at]));
                    source[at] = Source::kOperator;
                    producer[at] = static_cast<uint32_t>(n);
                  }
                  for (size_t i = 0; i < op.intermediates.size(); ++i) {
                    const int32_t t = op.intermediates[i];
                    if (t != kNoTensor && (t < 0 || t >= tensors)) {
                      throw InputError("intermediate {} is tensor {}, the subgraph has {}", i, t, tensors);
                    }
                  }
                  const size_t flags = op.mutating_variable_inputs.size();
                  if (flags > op.inputs.size()) {
                    throw InputError("{} flags of mutating inputs for {} inputs", flags, op.inputs.size());
                  }
                });
    }
    for (size_t i = 0; i < subgraph.outputs.size(); ++i) {
      const int32_t t = subgraph.outputs[i];
      if (t < 0 || t >= tensors) throw InputError("output {} is tensor {}, the subgraph has {}", i, t, tensors);
      const auto at = static_cast<size_t>(t);
      if (source[at] == Source::kNone) {
        throw InputError("output {} is tensor {} \"{}\", which nothing computes", i, t,
                         Printable(subgraph.tensors[at].name));
      }
    }
  }

  void CheckShape(const Shape& shape) const {
    if (shape.rank() > limits_.max_rank) {
      throw InputError("it has {} dimensions; the limit is {}", shape.rank(), limits_.max_rank);
    }
    for (int i = 0; i < shape.rank(); ++i) {
      if (shape[i] < 0) throw InputError("dimension {} of shape {} is negative", i, shape.ToString());
    }
    if (!shape.IsValid(limits_.max_elements)) {
      throw InputError("the dimensions of shape {} multiply to more than {}", shape.ToString(), limits_.max_elements);
    }
  }

  void CheckTensor(const Tensor& tensor, int64_t tensors) {
    CheckShape(tensor.shape);
    if (tensor.shape_signature && !tensor.shape_signature->empty()) CheckShapeSignature(tensor);
    for (const VariantSubtype& variant : tensor.variant_tensors) CheckShape(variant.shape);
    if (tensor.is_variable && tensor.data) throw InputError("it is a variable and has constant data too");
    if (tensor.external_buffer != 0 && tensor.data) throw InputError("it has data both in the file and outside of it");
    CheckQuantization(tensor);
    if (tensor.blockwise) {
      CheckIsTensor("the blockwise scales are", tensor.blockwise->scales, tensors, false);
      CheckIsTensor("the blockwise zero points are", tensor.blockwise->zero_points, tensors, true);
      if (tensor.blockwise->block_size < 0) {
        throw InputError("the block size {} is negative", tensor.blockwise->block_size);
      }
      for (const int32_t size : tensor.blockwise->block_shape) {
        if (size <= 0) throw InputError("the block shape has a dimension of {}", size);
      }
    }
    if (tensor.multi_axis) {
      CheckIsTensor("the scales are", tensor.multi_axis->scales, tensors, false);
      CheckIsTensor("the zero points are", tensor.multi_axis->zero_points, tensors, true);
      for (const int32_t dimension : tensor.multi_axis->quantized_dimensions) {
        if (dimension < 0 || dimension >= tensor.shape.rank()) {
          throw InputError("quantized dimension {} of shape {}", dimension, tensor.shape.ToString());
        }
      }
    }
    if (tensor.data) {
      InContext([] { return std::string("its data"); }, [&] { CheckData(tensor); });
    } else if (tensor.sparsity) {
      throw InputError("it is sparse, but not a constant");
    }
  }

  static void CheckIsTensor(std::string_view what, int32_t index, int64_t tensors, bool optional) {
    if (optional && index == kNoTensor) return;
    if (index < 0 || index >= tensors) throw InputError("{} tensor {}, the subgraph has {}", what, index, tensors);
  }

  static void CheckShapeSignature(const Tensor& tensor) {
    const std::vector<int32_t>& signature = *tensor.shape_signature;
    if (static_cast<int>(signature.size()) != tensor.shape.rank()) {
      throw InputError("its shape signature has {} dimensions, its shape {} has {}", signature.size(),
                       tensor.shape.ToString(), tensor.shape.rank());
    }
    for (size_t i = 0; i < signature.size(); ++i) {
      if (signature[i] < -1) throw InputError("dimension {} of its shape signature is {}", i, signature[i]);
    }
  }

  static void CheckQuantization(const Tensor& tensor) {
    const Quantization& q = tensor.quantization;
    if (q.scale.empty()) return;  // zero points alone mean nothing, as in LiteRT
    const size_t scales = q.scale.size(), zero_points = q.zero_point.size();
    const int rank = tensor.shape.rank();
    if (q.quantized_dimension < 0 || (rank > 0 && q.quantized_dimension >= rank)) {
      throw InputError("quantized dimension {} of shape {}", q.quantized_dimension, tensor.shape.ToString());
    }
    if (scales != 1) {
      if (rank == 0) throw InputError("{} scales for a scalar", scales);
      const int32_t channels = tensor.shape[q.quantized_dimension];
      if (scales != static_cast<size_t>(channels)) {
        throw InputError("{} scales for {} slices along dimension {} of shape {}", scales, channels,
                         q.quantized_dimension, tensor.shape.ToString());
      }
    }
    if (zero_points > 1 && zero_points != scales) {
      throw InputError("{} zero points for {} scales", zero_points, scales);
    }
    // LiteRT ignores what a float, bool or string tensor says here.
    if (!IsInteger(tensor.dtype)) return;
    const bool quantized = IsQuantizedInteger(tensor.dtype);
    for (size_t i = 0; i < scales; ++i) {
      const float scale = q.scale[i];
      if (!std::isfinite(scale) || scale < 0) throw InputError("scale {} is {}", i, scale);
      if (quantized && scale == 0) throw InputError("scale {} is 0", i);
    }
    const CodeRange range = CodesOf(IsQuantizedInteger(tensor.dtype) ? tensor.dtype : DType::kInt32);
    for (size_t i = 0; i < zero_points; ++i) {
      if (q.zero_point[i] < range.low || q.zero_point[i] > range.high) {
        throw InputError("zero point {} is {}, {} holds [{}, {}]", i, q.zero_point[i], DTypeName(tensor.dtype),
                         range.low, range.high);
      }
    }
  }

  void CheckData(const Tensor& tensor) {
    const std::span<const uint8_t> bytes = tensor.data->bytes();
    const auto elements = static_cast<uint64_t>(tensor.shape.NumElements());
    if (tensor.dtype == DType::kString) {
      CheckStrings(bytes, elements);
      return;
    }
    if (tensor.dtype == DType::kResource || tensor.dtype == DType::kVariant) {
      if (!bytes.empty()) throw InputError("{} tensors cannot be constants", DTypeName(tensor.dtype));
      return;
    }
    uint64_t stored = elements;
    if (tensor.sparsity) {
      stored = InContext([] { return std::string("sparsity"); },
                         [&] { return CheckSparsity(*tensor.sparsity, tensor.shape); });
    }
    const uint64_t expected = DTypeBytes(tensor.dtype, stored);
    if (bytes.size() != expected) {
      throw InputError("{} bytes, where {} {} take {}", bytes.size(), stored,
                       std::string(DTypeName(tensor.dtype)) + (tensor.sparsity ? " kept elements" : " elements"),
                       expected);
    }
    if (tensor.dtype == DType::kBool) CheckBools(bytes);
  }

  void CheckBools(std::span<const uint8_t> bytes) {
    if (!checked_bools_.insert({bytes.data(), bytes.size()}).second) return;
    for (size_t i = 0; i < bytes.size(); ++i) {
      if (bytes[i] > 1) throw InputError("element {} of a bool tensor is {}", i, bytes[i]);
    }
  }

  // A count, count + 1 offsets (all int32), the characters.
  void CheckStrings(std::span<const uint8_t> bytes, uint64_t elements) {
    if (bytes.empty() && elements == 0) return;
    const auto word = [&](uint64_t i) {
      const uint8_t* p = bytes.data() + 4 * i;
      return static_cast<int32_t>(uint32_t{p[0]} | uint32_t{p[1]} << 8 | uint32_t{p[2]} << 16 | uint32_t{p[3]} << 24);
    };
    if (bytes.size() < 4) throw InputError("{} bytes cannot hold strings", bytes.size());
    const int64_t count = word(0);
    if (count < 0 || static_cast<uint64_t>(count) != elements) {
      throw InputError("{} strings, where the shape has {} elements", count, elements);
    }
    const int64_t first = 4 * (count + 2);
    if (static_cast<uint64_t>(first) > bytes.size()) {
      throw InputError("{} bytes cannot hold the offsets of {} strings", bytes.size(), count);
    }
    // Many tensors may share one buffer: once is enough.
    if (!checked_strings_.insert({bytes.data(), bytes.size()}).second) return;
    int64_t previous = first;
    for (int64_t i = 0; i <= count; ++i) {
      const int64_t offset = word(static_cast<uint64_t>(i) + 1);
      if (offset < previous || static_cast<uint64_t>(offset) > bytes.size()) {
        throw InputError("the offset of string {} is {}, outside of [{}, {}]", i, offset, previous, bytes.size());
      }
      previous = offset;
    }
  }

  // Every called subgraph exists, and none calls itself, however indirectly.
  void CheckCalls() {
    const size_t count = model_.subgraphs.size();
    std::vector<std::vector<uint32_t>> calls(count);
    std::vector<uint32_t> callers(count, 0);
    for (size_t s = 0; s < count; ++s) {
      const std::vector<Operator>& operators = model_.subgraphs[s].operators;
      for (size_t n = 0; n < operators.size(); ++n) {
        for (const int32_t called : CalledSubgraphs(operators[n])) {
          if (called < 0 || static_cast<size_t>(called) >= count) {
            throw InputError("subgraph {}: op {} {}: it calls subgraph {}, the model has {}", s, n,
                             Printable(operators[n].Name()), called, count);
          }
          if (static_cast<size_t>(called) == s) {
            throw InputError("subgraph {}: op {} {}: it calls the subgraph that it is part of", s, n,
                             Printable(operators[n].Name()));
          }
          calls[s].push_back(static_cast<uint32_t>(called));
          ++callers[static_cast<size_t>(called)];
        }
      }
    }
    std::vector<uint32_t> ready;
    std::vector<int> depth(count, 0);
    // How often one invocation of each root comes by: two calls in each of 40 nested subgraphs would never end.
    std::vector<uint64_t> runs(count, 1);
    for (uint32_t s = 0; s < count; ++s) {
      if (callers[s] != 0) runs[s] = 0;
    }
    for (uint32_t s = 0; s < count; ++s) {
      if (callers[s] == 0) ready.push_back(s);
    }
    size_t done = 0;
    while (done < ready.size()) {
      const uint32_t s = ready[done++];
      if (depth[s] > limits_.max_call_depth) {
        throw InputError("subgraph {}: it is called through more than {} others", s, limits_.max_call_depth);
      }
      for (const uint32_t called : calls[s]) {
        depth[called] = std::max(depth[called], depth[s] + 1);
        runs[called] += runs[s];
        if (runs[called] > limits_.max_calls) {
          throw InputError("subgraph {}: it would run more than {} times", called, limits_.max_calls);
        }
        if (--callers[called] == 0) ready.push_back(called);
      }
    }
    if (done != count) {
      const auto caught = static_cast<size_t>(
          std::find_if(callers.begin(), callers.end(), [](uint32_t n) { return n != 0; }) - callers.begin());
      throw InputError("subgraph {}: subgraphs call each other in a circle", caught);
    }
  }

  void CheckSignature(const Signature& signature) const {
    if (signature.subgraph < 0 || static_cast<size_t>(signature.subgraph) >= model_.subgraphs.size()) {
      throw InputError("it is of subgraph {}, the model has {}", signature.subgraph, model_.subgraphs.size());
    }
    const size_t tensors = model_.subgraphs[static_cast<size_t>(signature.subgraph)].tensors.size();
    const auto check = [&](std::string_view what, const std::vector<SignatureTensor>& list) {
      std::set<std::string_view> names;
      for (const SignatureTensor& entry : list) {
        if (entry.tensor < 0 || static_cast<size_t>(entry.tensor) >= tensors) {
          throw InputError("{} \"{}\" is tensor {}, the subgraph has {}", what, Printable(entry.name), entry.tensor,
                           tensors);
        }
        if (!names.insert(entry.name).second) {
          throw InputError("two {}s are named \"{}\"", what, Printable(entry.name));
        }
      }
    };
    check("input", signature.inputs);
    check("output", signature.outputs);
  }

  const Model& model_;
  const Limits& limits_;
  std::set<std::pair<const uint8_t*, size_t>> checked_strings_, checked_bools_;
};

}  // namespace

void Verify(const Model& model, const Limits& limits) { Verifier(model, limits).Run(); }

std::span<const SubgraphReference> SubgraphReferences() { return kSubgraphReferences; }

std::vector<int32_t> CalledSubgraphs(const Operator& op) {
  // An op whose table is missing or of another kind is run with the defaults of its own table.
  const std::string_view own = BuiltinOpOptionsTable(op.code);
  std::vector<int32_t> called;
  const auto add = [&](int64_t index) {
    called.push_back(index < 0 || index > INT32_MAX ? -1 : static_cast<int32_t>(index));
  };
  for (const SubgraphReference& reference : kSubgraphReferences) {
    if (reference.table != own && reference.table != op.options_table) continue;
    const AttributeValue* value = op.attributes.Find(reference.field);
    if (reference.is_list) {
      if (const auto* list = value == nullptr ? nullptr : std::get_if<std::vector<int64_t>>(value)) {
        for (const int64_t index : *list) add(index);
      }
    } else {
      const auto* index = value == nullptr ? nullptr : std::get_if<int64_t>(value);
      add(index == nullptr ? 0 : *index);
    }
  }
  return called;
}

std::string Printable(std::string_view text) {
  constexpr size_t kLongest = 100;
  if (text.size() <= kLongest) return CleanUtf8(text, "?");
  size_t end = kLongest;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;  // never inside of a sequence
  return CleanUtf8(text.substr(0, end), "?") + "...";
}

}  // namespace assay::graph
