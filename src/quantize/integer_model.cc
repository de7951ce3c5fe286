#include "quantize/integer_model.h"

#include <algorithm>
#include <map>

#include "base/error.h"
#include "graph/verifier.h"
#include "passes/rewrite.h"
#include "quantize/conversion_ops.h"
#include "quantize/integer_lstm.h"
#include "quantize/op_rules.h"

namespace assay::quantize {
namespace {

using graph::BuiltinOp;
using graph::Operator;
using graph::Subgraph;
using graph::Tensor;
using passes::TensorAt;

class Rewriter {
 public:
  Rewriter(graph::Model& model, const Assignment& assignment, const InterfaceTypes& types)
      : model_(model), graph_(model.subgraphs[0]), assignment_(assignment), types_(types) {
    places_.resize(graph_.tensors.size());
  }

  IntegerModelStats Run() {
    std::vector<Operator> before = std::move(graph_.operators);
    graph_.operators.clear();
    for (const int32_t input : graph_.inputs) TakeInput(input);
    for (size_t i = 0; i < before.size(); ++i) {
      Operator& op = before[i];
      if (assignment_.is_integer[i]) {
        MakeInteger(op, static_cast<int32_t>(i));
        ++stats_.integer_ops;
      } else {
        KeepFloat(op);
      }
      graph_.operators.push_back(std::move(op));
    }
    std::map<int32_t, int32_t> renamed;
    for (int32_t& output : graph_.outputs) {
      const int32_t from = output;
      output = GiveOutput(from);
      renamed[from] = output;
    }
    for (graph::Signature& signature : model_.signatures) {
      if (signature.subgraph != 0) continue;
      for (graph::SignatureTensor& output : signature.outputs) {
        const auto found = renamed.find(output.tensor);
        if (found != renamed.end()) output.tensor = found->second;
      }
    }
    return stats_;
  }

 private:
  // Where the value of a tensor of the float model lies now; -1: nowhere yet.
  struct Place {
    int32_t real = -1, produced = -1, codes = -1;
    std::vector<int32_t> others;
  };

  bool IsActivation(int32_t tensor) const {
    return tensor != graph::kNoTensor && static_cast<size_t>(tensor) < places_.size() &&
           TensorAt(graph_, tensor).dtype == DType::kFloat32 && !TensorAt(graph_, tensor).data.has_value();
  }

  const TensorCodes& CodesOf(int32_t tensor) const { return assignment_.tensors[static_cast<size_t>(tensor)]; }
  Place& At(int32_t tensor) { return places_[static_cast<size_t>(tensor)]; }

  static void SetCodes(Tensor& tensor, const Codes& codes) {
    tensor.dtype = codes.dtype;
    tensor.quantization = codes.quantization;
  }

  int32_t Copy(int32_t tensor, const char* suffix) {
    Tensor copy = TensorAt(graph_, tensor);
    copy.name += suffix;
    copy.dtype = DType::kFloat32;
    copy.quantization = {};
    copy.is_variable = false;
    graph_.tensors.push_back(std::move(copy));
    return static_cast<int32_t>(graph_.tensors.size()) - 1;
  }

  void AddConversion(int32_t from, int32_t to) {
    graph_.operators.push_back(ConversionOp(graph_, from, to));
    ++(graph_.operators.back().code == BuiltinOp::kQuantize ? stats_.quantize_ops : stats_.dequantize_ops);
  }

  int32_t AddQuantize(int32_t from, int32_t like, const Codes& codes, const char* suffix) {
    const int32_t to = Copy(like, suffix);
    SetCodes(TensorAt(graph_, to), codes);
    AddConversion(from, to);
    return to;
  }

  // The integer tensor that the readers of `tensor` get.
  int32_t MainCodes(int32_t tensor) {
    if (At(tensor).codes < 0) {
      const int32_t from = At(tensor).produced >= 0 ? At(tensor).produced : At(tensor).real;
      ASSAY_CHECK(from >= 0 && CodesOf(tensor).codes.has_value());
      At(tensor).codes = AddQuantize(from, tensor, *CodesOf(tensor).codes, "/quantized");
    }
    return At(tensor).codes;
  }

  int32_t CodesFor(int32_t tensor, Use use) {
    const std::vector<TensorCodes::Other>& others = CodesOf(tensor).others;
    for (size_t k = 0; k < others.size(); ++k) {
      if (std::find(others[k].readers.begin(), others[k].readers.end(), use) == others[k].readers.end()) continue;
      std::vector<int32_t>& places = At(tensor).others;
      if (places.size() <= k) places.resize(k + 1, -1);
      if (places[k] < 0) {
        const int32_t from = MainCodes(tensor);
        const int32_t to = AddQuantize(from, tensor, others[k].codes, "/requantized");
        At(tensor).others[k] = to;
      }
      return At(tensor).others[k];
    }
    return MainCodes(tensor);
  }

  int32_t RealOf(int32_t tensor) {
    if (At(tensor).real < 0) {
      const int32_t from = MainCodes(tensor);
      const int32_t to = Copy(tensor, "/dequantized");
      AddConversion(from, to);
      At(tensor).real = to;
    }
    return At(tensor).real;
  }

  const Codes& InterfaceCodes(int32_t tensor, const char* what, DType wanted) const {
    const std::optional<Codes>& codes = CodesOf(tensor).codes;
    if (!codes.has_value()) {
      throw InputError("{} '{}' is used by float ops only and cannot be {}", what,
                       graph::Printable(TensorAt(graph_, tensor).name), DTypeName(wanted));
    }
    return *codes;
  }

  void CheckWidth(const Codes& codes, DType wanted, const char* what, int32_t tensor) const {
    if ((codes.dtype == DType::kInt16) == (wanted == DType::kInt16)) return;
    throw InputError("{} '{}' has codes of {} and cannot be {}", what, graph::Printable(TensorAt(graph_, tensor).name),
                     DTypeName(codes.dtype), DTypeName(wanted));
  }

  // The same values as uint8.
  static Codes Unsigned(const Codes& codes) {
    Codes out = codes;
    out.dtype = DType::kUInt8;
    for (int64_t& zero_point : out.quantization.zero_point) zero_point += 128;
    return out;
  }

  void TakeInput(int32_t tensor) {
    if (!IsActivation(tensor)) return;
    if (types_.input == DType::kFloat32) {
      At(tensor).real = tensor;
      return;
    }
    const Codes codes = InterfaceCodes(tensor, "input", types_.input);
    CheckWidth(codes, types_.input, "input", tensor);
    if (types_.input == codes.dtype) {
      SetCodes(TensorAt(graph_, tensor), codes);
      At(tensor).codes = At(tensor).produced = tensor;
      return;
    }
    SetCodes(TensorAt(graph_, tensor), Unsigned(codes));
    At(tensor).produced = tensor;
  }

  int32_t GiveOutput(int32_t tensor) {
    // An input that is handed out as it came.
    const bool is_input = std::find(graph_.inputs.begin(), graph_.inputs.end(), tensor) != graph_.inputs.end();
    if (static_cast<size_t>(tensor) >= places_.size() || (At(tensor).real < 0 && At(tensor).produced < 0)) {
      return tensor;
    }
    if (types_.output == DType::kFloat32) {
      if (At(tensor).real >= 0) return At(tensor).real;
      const int32_t real = RealOf(tensor);
      if (!is_input) std::swap(TensorAt(graph_, real).name, TensorAt(graph_, tensor).name);
      return real;
    }
    const Codes codes = InterfaceCodes(tensor, "output", types_.output);
    CheckWidth(codes, types_.output, "output", tensor);
    const int32_t main = MainCodes(tensor);
    if (types_.output == codes.dtype) return main;
    return AddQuantize(main, tensor, Unsigned(codes), "/unsigned");
  }

  void MakeInteger(Operator& op, int32_t index) {
    const OpRule& rule = *FindOpRule(op);
    op.version = std::max(op.version, rule.int8_version);
    if (rule.weights >= 0 && CodesOf(op.inputs[static_cast<size_t>(rule.weights)]).codes->dtype == DType::kInt4) {
      op.version = std::max(op.version, rule.int4_version);
    }
    for (size_t k = 0; k < op.inputs.size(); ++k) {
      int32_t& t = op.inputs[k];
      if (t == graph::kNoTensor) continue;
      if (passes::IsFloatConstant(graph_, t)) {
        EncodeConstant(t, RoleOf(op, rule, k));
      } else if (IsLstm(op) && TensorAt(graph_, t).is_variable) {
        SetCodes(TensorAt(graph_, t), *CodesOf(t).codes);
      } else if (WasActivation(t)) {
        t = CodesFor(t, {index, static_cast<int32_t>(k)});
      }
    }
    if (const int32_t bias = BiasOf(op, rule); bias != graph::kNoTensor &&
                                               TensorAt(graph_, bias).dtype == DType::kInt64 &&
                                               op.code != BuiltinOp::kDepthwiseConv2D) {
      op.attributes.Set("quantized_bias_type", int64_t{static_cast<int64_t>(DType::kInt64)});
    }
    if (IsLstm(op)) AddLstmIntermediates(op);
    for (const int32_t t : op.outputs) {
      if (!IsActivation(t)) continue;
      if ((op.code == BuiltinOp::kAdd || op.code == BuiltinOp::kSub) && CodesOf(t).codes->dtype == DType::kInt16) {
        op.attributes.Set("pot_scale_int16", int64_t{0});  // scales need not be powers of two
      }
      const TensorCodes& codes = CodesOf(t);
      SetCodes(TensorAt(graph_, t), codes.produced.value_or(*codes.codes));
      At(t).produced = t;
      if (!codes.produced.has_value()) At(t).codes = t;
    }
  }

  static int32_t BiasOf(const Operator& op, const OpRule& rule) {
    return rule.bias < 0 || static_cast<size_t>(rule.bias) >= op.inputs.size()
               ? graph::kNoTensor
               : op.inputs[static_cast<size_t>(rule.bias)];
  }

  // A float tensor of the model as it was, whose value has a place by now.
  bool WasActivation(int32_t tensor) {
    return static_cast<size_t>(tensor) < places_.size() && (At(tensor).real >= 0 || At(tensor).produced >= 0);
  }

  enum class Role : uint8_t { kWeights, kBias, kActivation };

  static Role RoleOf(const Operator& op, const OpRule& rule, size_t operand) {
    const auto k = static_cast<int8_t>(operand);
    if (k == rule.bias || (IsLstm(op) && IsLstmBias(operand))) return Role::kBias;
    return k == rule.weights || (IsLstm(op) && IsLstmWeights(operand)) ? Role::kWeights : Role::kActivation;
  }

  // What TFLite's kernel reads the scale of the hidden values from, which without a projection are the output; the
  // first four serve layer normalisation.
  void AddLstmIntermediates(Operator& op) {
    op.intermediates.clear();
    const TensorCodes& result = CodesOf(op.outputs[0]);
    const std::string name = TensorAt(graph_, op.outputs[0]).name;
    for (size_t i = 0; i < LstmOperands::kIntermediates; ++i) {
      Tensor tensor;
      tensor.name = name + "/intermediate" + std::to_string(i);
      tensor.shape = Shape{0};
      if (i + 1 == LstmOperands::kIntermediates) SetCodes(tensor, result.produced.value_or(*result.codes));
      graph_.tensors.push_back(std::move(tensor));
      op.intermediates.push_back(static_cast<int32_t>(graph_.tensors.size()) - 1);
    }
  }

  void EncodeConstant(int32_t tensor, Role role) {
    Tensor& constant = TensorAt(graph_, tensor);
    const Codes& codes = *CodesOf(tensor).codes;
    const std::vector<float> values = *passes::FloatValues(graph_, tensor);
    if (role == Role::kBias) {
      constant.data = EncodeBias(values, codes);
    } else if (role == Role::kWeights) {
      constant.data = EncodeWeights(values, constant.shape, codes);
    } else {
      constant.data = EncodeActivation(values, codes);
    }
    SetCodes(constant, codes);
  }

  void KeepFloat(Operator& op) {
    for (int32_t& t : op.inputs) {
      if (t != graph::kNoTensor && WasActivation(t)) t = RealOf(t);
    }
    for (const int32_t t : op.outputs) {
      if (IsActivation(t)) At(t).real = t;
    }
  }

  graph::Model& model_;
  Subgraph& graph_;
  const Assignment& assignment_;
  const InterfaceTypes& types_;
  std::vector<Place> places_;
  IntegerModelStats stats_;
};

}  // namespace

IntegerModelStats MakeIntegerModel(graph::Model& model, const Assignment& assignment, const InterfaceTypes& types) {
  return Rewriter(model, assignment, types).Run();
}

}  // namespace assay::quantize
