// How a model's parts are said in words, for the text, the JSON and the picture of `inspect`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "graph/model.h"
#include "runtime/inspect_model.h"

namespace assay::report {

// "3x3 stride 2 SAME RELU6": what differs from the plainest form of the op.
std::string OptionsText(const graph::Subgraph& graph, const graph::Operator& op);

// An option's value where the format has a name for it ("SAME", "RELU6", "float32"), else "".
std::string_view OptionValueName(const graph::Operator& op, std::string_view option, int64_t value);

// "scale 0.0078125, zero point 128 (-1 to 0.9922)", "32 scales along dimension 0 (0.0012 to 0.031)", "" where there is
// none.
std::string QuantizationText(const graph::Tensor& tensor);

// "[1,224,224,3]"; dimensions that only running shows are "?".
std::string ShapeText(const graph::Tensor& tensor, const runtime::TensorFacts& facts);
// The same for a picture: "1×224×224×3".
std::string ShapeLabel(const graph::Tensor& tensor, const runtime::TensorFacts& facts);

std::string CountText(int64_t count);    // "1.23 M"
std::string GroupedText(int64_t count);  // "1,234,567"
std::string BytesText(uint64_t bytes);   // "1.2 MiB"

// "xnnpack", "builtin", "once" for what is folded, "none" without a kernel, "-" where it is not known.
std::string EngineText(const runtime::OpFacts& op);

// What an op is for: ops of one family have one colour.
enum class OpFamily : uint8_t {
  kConvolution,
  kDepthwise,
  kMatrix,
  kRecurrent,
  kPooling,
  kActivation,
  kArithmetic,
  kMovement,
  kConversion,
  kControl,
  kOther,
  kCount
};
OpFamily FamilyOf(graph::BuiltinOp op);
std::string_view OpFamilyName(OpFamily family);

// Text from a file as UTF-8 without control characters; what is neither becomes U+FFFD.
std::string CleanText(std::string_view text);

}  // namespace assay::report
