#include "report/inspect_words.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/utf8.h"
#include "graph/flexbuffer_map.h"
#include "graph/verifier.h"

namespace assay::report {
namespace {

using graph::BuiltinOp;
using graph::Operator;

int64_t Option(const Operator& op, std::string_view name, int64_t otherwise) {
  const graph::AttributeValue* value = op.attributes.Find(name);
  const auto* number = value == nullptr ? nullptr : std::get_if<int64_t>(value);
  return number == nullptr ? otherwise : *number;
}

bool HasPadding(const Operator& op) {
  static const std::set<std::string_view> kTables = {"Conv2DOptions", "DepthwiseConv2DOptions", "Pool2DOptions",
                                                     "TransposeConvOptions", "Conv3DOptions"};
  return kTables.count(op.options_table) > 0;
}

// Height by width of a convolution's weights, depth first where there is one.
std::string KernelText(const graph::Subgraph& graph, const Operator& op) {
  if (op.inputs.size() < 2 || op.inputs[1] == graph::kNoTensor) return {};
  const Shape& w = graph.tensors[static_cast<size_t>(op.inputs[1])].shape;
  switch (op.code) {
    case BuiltinOp::kConv2D:
    case BuiltinOp::kDepthwiseConv2D:
    case BuiltinOp::kTransposeConv:
      return w.rank() == 4 ? fmt::format("{}x{}", w[1], w[2]) : "";
    case BuiltinOp::kConv3D:
    case BuiltinOp::kConv3DTranspose:
      return w.rank() == 5 ? fmt::format("{}x{}x{}", w[0], w[1], w[2]) : "";
    default:
      return {};
  }
}

// "2" or "2x1": depth, height and width, as far as they differ.
std::string Steps(const Operator& op, std::string_view prefix, std::string_view suffix) {
  const auto field = [&](char dimension) { return fmt::format("{}_{}{}", prefix, dimension, suffix); };
  const int64_t d = Option(op, field('d'), 1), h = Option(op, field('h'), 1), w = Option(op, field('w'), 1);
  const bool has_depth = op.attributes.Find(field('d')) != nullptr;
  if (d == 1 && h == 1 && w == 1) return {};
  if (h == w && (!has_depth || d == h)) return std::to_string(h);
  return has_depth ? fmt::format("{}x{}x{}", d, h, w) : fmt::format("{}x{}", h, w);
}

template <typename T>
std::string ListText(const std::vector<T>& list) {
  constexpr size_t kShown = 8;
  std::string text;
  for (size_t i = 0; i < std::min(list.size(), kShown); ++i) text += fmt::format("{}{}", i > 0 ? "," : "", list[i]);
  return fmt::format("[{}{}]", text, list.size() > kShown ? ",..." : "");
}

std::string CustomOptionsText(const std::vector<uint8_t>& bytes) {
  if (bytes.empty()) return {};
  std::string text;
  try {
    const graph::FlexbufferMap map(bytes);
    for (const auto& [name, value] : map.values()) {
      std::string shown = "?";
      if (const auto* number = std::get_if<int64_t>(&value)) shown = std::to_string(*number);
      if (const auto* real = std::get_if<double>(&value)) shown = fmt::format("{:.6g}", *real);
      text += fmt::format("{}{}={}", text.empty() ? "" : " ", graph::Printable(name), shown);
    }
  } catch (const Error&) {
    return fmt::format("{} bytes of options", bytes.size());
  }
  return text;
}

std::string DimText(int32_t d, bool known) { return known ? std::to_string(d) : "?"; }

std::string Joined(const graph::Tensor& tensor, const runtime::TensorFacts& facts, std::string_view separator) {
  const bool has_signature =
      tensor.shape_signature.has_value() && tensor.shape_signature->size() == static_cast<size_t>(tensor.shape.rank());
  if (!facts.shape_known && (!has_signature || tensor.shape.rank() == 0)) return "?";
  std::string text;
  for (int i = 0; i < facts.shape.rank(); ++i) {
    const bool known = facts.shape_known || (*tensor.shape_signature)[static_cast<size_t>(i)] >= 0;
    if (i > 0) text += separator;
    text += DimText(facts.shape[i], known);
  }
  return text;
}

}  // namespace

std::string_view OptionValueName(const Operator& op, std::string_view option, int64_t value) {
  static const std::set<std::string_view> kTypes = {"in_data_type", "out_data_type", "output_type",
                                                    "out_type",     "idx_out_type",  "quantized_bias_type"};
  if (option == "padding" && HasPadding(op)) return value == 0 ? "SAME" : value == 1 ? "VALID" : "";
  if (option == "fused_activation_function" && value >= 0 && value < static_cast<int64_t>(graph::Activation::kCount)) {
    return graph::ActivationName(static_cast<graph::Activation>(value));
  }
  if (kTypes.count(option) > 0 && value >= 0 && value < kDTypeCount) return DTypeName(static_cast<DType>(value));
  if (option == "mode" && op.options_table == "MirrorPadOptions") {
    return value == 0 ? "REFLECT" : value == 1 ? "SYMMETRIC" : "";
  }
  return {};
}

std::string OptionsText(const graph::Subgraph& graph, const Operator& op) {
  std::string text;
  const auto add = [&](const std::string& word) {
    if (!word.empty()) text += (text.empty() ? "" : " ") + word;
  };
  const auto add_named = [&](const char* name, const std::string& word) {
    if (!word.empty()) add(fmt::format("{} {}", name, word));
  };
  add(KernelText(graph, op));
  if (op.options_table == "Pool2DOptions") {
    add(fmt::format("{}x{}", Option(op, "filter_height", 0), Option(op, "filter_width", 0)));
  }
  add_named("stride", Steps(op, "stride", ""));
  add_named("dilation", Steps(op, "dilation", "_factor"));
  if (HasPadding(op)) add(std::string(OptionValueName(op, "padding", Option(op, "padding", 0))));
  static const std::set<std::string_view> kDone = {"filter_width",      "filter_height",     "stride_d",
                                                   "stride_w",          "stride_h",          "dilation_d_factor",
                                                   "dilation_w_factor", "dilation_h_factor", "padding"};
  for (const graph::Attributes::Field& field : op.attributes.fields()) {
    if (kDone.count(field.name) > 0 && (field.name != "padding" || HasPadding(op))) continue;
    if (const auto* number = std::get_if<int64_t>(&field.value)) {
      const std::string_view name = OptionValueName(op, field.name, *number);
      if (field.name == "fused_activation_function") {
        if (*number != 0) add(name.empty() ? fmt::format("activation={}", *number) : std::string(name));
      } else if (*number != 0 && !(field.name == "depth_multiplier" && *number == 1)) {
        add(name.empty() ? fmt::format("{}={}", field.name, *number) : fmt::format("{}={}", field.name, name));
      }
    } else if (const auto* real = std::get_if<double>(&field.value)) {
      if (*real != 0) add(fmt::format("{}={:.6g}", field.name, *real));
    } else if (const auto* word = std::get_if<std::string>(&field.value)) {
      if (!word->empty()) add(fmt::format("{}={}", field.name, graph::Printable(*word)));
    } else if (const auto* list = std::get_if<std::vector<int64_t>>(&field.value)) {
      if (!list->empty()) add(fmt::format("{}={}", field.name, ListText(*list)));
    } else if (const auto* reals = std::get_if<std::vector<double>>(&field.value)) {
      if (!reals->empty()) add(fmt::format("{}={}", field.name, ListText(*reals)));
    } else if (const auto* words = std::get_if<std::vector<std::string>>(&field.value)) {
      if (!words->empty()) add(fmt::format("{}: {} names", field.name, words->size()));
    }
  }
  if (op.code == BuiltinOp::kCustom) add(CustomOptionsText(op.custom_options));
  return text;
}

std::string QuantizationText(const graph::Tensor& tensor) {
  const Quantization& q = tensor.quantization;
  if (tensor.blockwise.has_value())
    return fmt::format("blockwise scales, {} values each", tensor.blockwise->block_size);
  if (tensor.multi_axis.has_value()) {
    return fmt::format("scales along {} dimensions", tensor.multi_axis->quantized_dimensions.size());
  }
  if (!q.is_quantized()) return {};
  if (q.is_per_channel()) {
    const auto [low, high] = std::minmax_element(q.scale.begin(), q.scale.end());
    return fmt::format("{} scales along dimension {} ({:.4g} to {:.4g})", q.scale.size(), q.quantized_dimension,
                       static_cast<double>(*low), static_cast<double>(*high));
  }
  const double scale = static_cast<double>(q.scale[0]);
  std::string text = fmt::format("scale {:.7g}, zero point {}", scale, q.first_zero_point());
  const int bits = DTypeBits(tensor.dtype);
  if (IsQuantizedInteger(tensor.dtype)) {
    const bool is_unsigned = tensor.dtype == DType::kUInt8 || tensor.dtype == DType::kUInt4;
    const double low = is_unsigned ? 0 : -std::ldexp(1.0, bits - 1);
    const double high = (is_unsigned ? std::ldexp(1.0, bits) : std::ldexp(1.0, bits - 1)) - 1;
    const auto zero = static_cast<double>(q.first_zero_point());
    text += fmt::format(" ({:.4g} to {:.4g})", (low - zero) * scale + 0.0, (high - zero) * scale + 0.0);
  }
  return text;
}

std::string ShapeText(const graph::Tensor& tensor, const runtime::TensorFacts& facts) {
  return fmt::format("[{}]", Joined(tensor, facts, ","));
}

std::string ShapeLabel(const graph::Tensor& tensor, const runtime::TensorFacts& facts) {
  const std::string text = Joined(tensor, facts, "\u00d7");
  return text.empty() ? "scalar" : text;
}

std::string CountText(int64_t count) {
  const auto n = static_cast<double>(count);
  if (count < 10'000) return std::to_string(count);
  if (n < 999.5e3) return fmt::format("{:.3g} k", n / 1e3);
  if (n < 999.5e6) return fmt::format("{:.3g} M", n / 1e6);
  if (n < 999.5e9) return fmt::format("{:.3g} G", n / 1e9);
  return fmt::format("{:.3g} T", n / 1e12);
}

std::string GroupedText(int64_t count) {
  std::string digits = std::to_string(count);
  for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > (count < 0 ? 1 : 0); at -= 3) {
    digits.insert(static_cast<size_t>(at), ",");
  }
  return digits;
}

std::string BytesText(uint64_t bytes) {
  const auto n = static_cast<double>(bytes);
  if (bytes < 10'000) return fmt::format("{} bytes", bytes);
  if (n < 1e6) return fmt::format("{:.1f} KiB", n / 1024);
  if (n < 1e9) return fmt::format("{:.1f} MiB", n / (1024 * 1024));
  return fmt::format("{:.2f} GiB", n / (1024.0 * 1024 * 1024));
}

std::string EngineText(const runtime::OpFacts& op) {
  if (!op.has_kernel) return "none";
  if (op.folded) return "once";
  return op.engine.has_value() ? std::string(numerics::EngineName(*op.engine)) : "-";
}

OpFamily FamilyOf(BuiltinOp op) {
  switch (op) {
    case BuiltinOp::kConv2D:
    case BuiltinOp::kConv3D:
    case BuiltinOp::kTransposeConv:
    case BuiltinOp::kConv3DTranspose:
    case BuiltinOp::kStablehloConvolution:
      return OpFamily::kConvolution;
    case BuiltinOp::kDepthwiseConv2D:
      return OpFamily::kDepthwise;
    case BuiltinOp::kFullyConnected:
    case BuiltinOp::kBatchMatmul:
    case BuiltinOp::kStablehloDotGeneral:
    case BuiltinOp::kEmbeddingLookup:
    case BuiltinOp::kEmbeddingLookupSparse:
      return OpFamily::kMatrix;
    case BuiltinOp::kLstm:
    case BuiltinOp::kRnn:
    case BuiltinOp::kSvdf:
    case BuiltinOp::kUnidirectionalSequenceLstm:
    case BuiltinOp::kUnidirectionalSequenceRnn:
    case BuiltinOp::kBidirectionalSequenceLstm:
    case BuiltinOp::kBidirectionalSequenceRnn:
      return OpFamily::kRecurrent;
    case BuiltinOp::kAveragePool2D:
    case BuiltinOp::kMaxPool2D:
    case BuiltinOp::kL2Pool2D:
    case BuiltinOp::kMean:
    case BuiltinOp::kSum:
    case BuiltinOp::kReduceMax:
    case BuiltinOp::kReduceMin:
    case BuiltinOp::kReduceProd:
    case BuiltinOp::kReduceAny:
    case BuiltinOp::kReduceAll:
    case BuiltinOp::kArgMax:
    case BuiltinOp::kArgMin:
    case BuiltinOp::kTopkV2:
      return OpFamily::kPooling;
    case BuiltinOp::kRelu:
    case BuiltinOp::kRelu6:
    case BuiltinOp::kReluN1To1:
    case BuiltinOp::kRelu0To1:
    case BuiltinOp::kLeakyRelu:
    case BuiltinOp::kPrelu:
    case BuiltinOp::kElu:
    case BuiltinOp::kGelu:
    case BuiltinOp::kHardSwish:
    case BuiltinOp::kLogistic:
    case BuiltinOp::kTanh:
    case BuiltinOp::kSoftmax:
    case BuiltinOp::kLogSoftmax:
    case BuiltinOp::kL2Normalization:
    case BuiltinOp::kLocalResponseNormalization:
      return OpFamily::kActivation;
    case BuiltinOp::kReshape:
    case BuiltinOp::kConcatenation:
    case BuiltinOp::kPad:
    case BuiltinOp::kPadv2:
    case BuiltinOp::kMirrorPad:
    case BuiltinOp::kTranspose:
    case BuiltinOp::kSlice:
    case BuiltinOp::kStridedSlice:
    case BuiltinOp::kDynamicUpdateSlice:
    case BuiltinOp::kSplit:
    case BuiltinOp::kSplitV:
    case BuiltinOp::kPack:
    case BuiltinOp::kUnpack:
    case BuiltinOp::kSqueeze:
    case BuiltinOp::kExpandDims:
    case BuiltinOp::kGather:
    case BuiltinOp::kGatherNd:
    case BuiltinOp::kScatterNd:
    case BuiltinOp::kTile:
    case BuiltinOp::kBroadcastTo:
    case BuiltinOp::kBroadcastArgs:
    case BuiltinOp::kShape:
    case BuiltinOp::kRank:
    case BuiltinOp::kFill:
    case BuiltinOp::kRange:
    case BuiltinOp::kZerosLike:
    case BuiltinOp::kSpaceToDepth:
    case BuiltinOp::kDepthToSpace:
    case BuiltinOp::kSpaceToBatchNd:
    case BuiltinOp::kBatchToSpaceNd:
    case BuiltinOp::kReverseV2:
    case BuiltinOp::kReverseSequence:
    case BuiltinOp::kResizeBilinear:
    case BuiltinOp::kResizeNearestNeighbor:
    case BuiltinOp::kOneHot:
    case BuiltinOp::kSelect:
    case BuiltinOp::kSelectV2:
    case BuiltinOp::kWhere:
    case BuiltinOp::kSparseToDense:
    case BuiltinOp::kMatrixDiag:
    case BuiltinOp::kMatrixSetDiag:
      return OpFamily::kMovement;
    case BuiltinOp::kQuantize:
    case BuiltinOp::kDequantize:
    case BuiltinOp::kFakeQuant:
    case BuiltinOp::kCast:
    case BuiltinOp::kBitcast:
    case BuiltinOp::kDensify:
      return OpFamily::kConversion;
    case BuiltinOp::kIf:
    case BuiltinOp::kWhile:
    case BuiltinOp::kCall:
    case BuiltinOp::kCallOnce:
    case BuiltinOp::kStablehloComposite:
    case BuiltinOp::kStablehloWhile:
    case BuiltinOp::kStablehloCase:
    case BuiltinOp::kVarHandle:
    case BuiltinOp::kReadVariable:
    case BuiltinOp::kAssignVariable:
      return OpFamily::kControl;
    case BuiltinOp::kCustom:
    case BuiltinOp::kDelegate:
    case BuiltinOp::kNonMaxSuppressionV4:
    case BuiltinOp::kNonMaxSuppressionV5:
    case BuiltinOp::kHashtable:
    case BuiltinOp::kHashtableFind:
    case BuiltinOp::kHashtableImport:
    case BuiltinOp::kHashtableSize:
    case BuiltinOp::kHashtableLookup:
    case BuiltinOp::kLshProjection:
    case BuiltinOp::kSkipGram:
      return OpFamily::kOther;
    default:
      return OpFamily::kArithmetic;
  }
}

std::string_view OpFamilyName(OpFamily family) {
  switch (family) {
    case OpFamily::kConvolution:
      return "convolution";
    case OpFamily::kDepthwise:
      return "depthwise convolution";
    case OpFamily::kMatrix:
      return "matrix product";
    case OpFamily::kRecurrent:
      return "recurrent";
    case OpFamily::kPooling:
      return "pooling, reduction";
    case OpFamily::kActivation:
      return "activation, normalization";
    case OpFamily::kArithmetic:
      return "arithmetic";
    case OpFamily::kMovement:
      return "data movement";
    case OpFamily::kConversion:
      return "type conversion";
    case OpFamily::kControl:
      return "control flow, variables";
    default:
      return "custom and others";
  }
}

std::string CleanText(std::string_view text) { return CleanUtf8(text, "\xef\xbf\xbd"); }

}  // namespace assay::report
