// PAD, PADV2 (a value around the input), MIRROR_PAD (the input mirrored at its borders).
#include "graph/ops/pad.h"

#include <array>
#include <cstring>

#include "kernels/ref/pad.h"
#include "ops/checks.h"
#include "ops/copy_plan.h"
#include "ops/ops.h"

namespace assay::ops {
namespace {

struct Paddings {
  std::vector<int64_t> before, after;
  Shape padded;
};

Paddings ReadPaddings(const PrepareContext& context, const Shape& input) {
  const TensorRef& operand = context.Input(1);
  if (operand.shape != Shape{input.rank(), 2}) {
    throw InputError("paddings have the shape {}, expected [{},2]", operand.shape.ToString(), input.rank());
  }
  const std::vector<int64_t> values = IntegerValues(context, 1, "paddings", {DType::kInt8, DType::kInt16});
  Paddings p;
  std::vector<int64_t> dims;
  for (size_t d = 0; d < values.size() / 2; ++d) {
    const int64_t before = values[2 * d], after = values[2 * d + 1];
    if (before < 0 || after < 0 || before > INT32_MAX || after > INT32_MAX) {
      throw InputError("dimension {} is padded by ({}, {})", d, before, after);
    }
    p.before.push_back(before), p.after.push_back(after);
    dims.push_back(before + input[static_cast<int>(d)] + after);
  }
  p.padded = ShapeFrom(dims, "the padded input");
  return p;
}

// Zero, or the zero point of a quantized type.
std::array<uint8_t, 16> PadElement(const TensorRef& input, const TensorRef& output) {
  std::array<uint8_t, 16> element = {};
  const int64_t zero_point = SingleZeroPoint(output);
  const bool quantized = input.quantization().is_quantized();
  if (input.dtype == DType::kUInt8 || (input.dtype == DType::kInt8 && quantized)) {
    element[0] = static_cast<uint8_t>(zero_point);
  } else if (input.dtype == DType::kInt16 && quantized) {
    const auto code = static_cast<int16_t>(zero_point);
    std::memcpy(element.data(), &code, sizeof(code));
  }
  return element;
}

}  // namespace

RunFn PreparePad(PrepareContext& context) {
  CheckArity(context, 2, 3, 1);
  const TensorRef &input = context.Input(0), &output = context.Output(0);
  const int bits = MovedBits(context, input, "input");
  CheckRank(input, "input", 0, kMaxMovedRank);
  const bool has_value = context.HasInput(2);
  if (has_value) {
    const TensorRef& value = context.Input(2);
    CheckSameType(input, "input", value, "the padding value");
    if (value.size() != 1) {
      throw InputError("the padding value has the shape {}, expected one value", value.shape.ToString());
    }
    const bool has_codes =
        input.dtype == DType::kUInt8 ||
        ((input.dtype == DType::kInt8 || input.dtype == DType::kInt16) && input.quantization().is_quantized());
    if (has_codes) CheckSameQuantization(output, "output", value, "the padding value");
  }
  const Paddings paddings = ReadPaddings(context, input.shape);
  context.SetOutputShape(0, paddings.padded);
  const std::vector<int64_t> in_strides = RowMajorStrides(input.shape), out_strides = RowMajorStrides(paddings.padded);
  std::vector<CopyAxis> axes;
  int64_t out_offset = 0;
  for (size_t d = 0; d < in_strides.size(); ++d) {
    axes.push_back({input.shape[static_cast<int>(d)], in_strides[d], out_strides[d]});
    out_offset += paddings.before[d] * out_strides[d];
  }
  kernels::ref::PadGeometry g;
  g.rank = input.shape.rank();
  for (int d = 0; d < g.rank; ++d) {
    const auto at = static_cast<size_t>(d);
    g.input[d] = input.shape[d], g.before[d] = paddings.before[at], g.after[d] = paddings.after[at];
  }
  if (bits >= 8) {
    return [g, bits, has_value, element = PadElement(input, output)](const RunContext& run) {
      const void* value = has_value ? static_cast<const void*>(run.Input(2).data) : element.data();
      kernels::ref::Pad(g, bits, value, run.Input(0).data, RawOutput(run, 0));
    };
  }
  return [bits, has_value, element = PadElement(input, output), count = paddings.padded.NumElements(),
          copy = PlanCopy(axes, 0, out_offset)](const RunContext& run) {
    const void* value = has_value ? static_cast<const void*>(run.Input(2).data) : element.data();
    kernels::ref::FillElements(bits, value, count, RawOutput(run, 0));
    CopyPlanned(run, copy, bits);
  };
}

RunFn PrepareMirrorPad(PrepareContext& context) {
  CheckArity(context, 2, 2, 1);
  const TensorRef& input = context.Input(0);
  const int bits = MovedBits(context, input, "input");
  CheckRank(input, "input", 0, kMaxMovedRank);
  if (IsQuantizedInteger(input.dtype)) CheckSameQuantization(input, "input", context.Output(0), "output");
  const auto attributes = context.op().attributes.As<graph::MirrorPadAttributes>();
  const Paddings paddings = ReadPaddings(context, input.shape);
  context.SetOutputShape(0, paddings.padded);
  kernels::ref::MirrorPadGeometry g;
  g.rank = input.shape.rank();
  g.border = attributes.mode == graph::MirrorPadMode::kReflect ? 1 : 0;
  for (int d = 0; d < g.rank; ++d) {
    const int64_t before = paddings.before[static_cast<size_t>(d)], after = paddings.after[static_cast<size_t>(d)];
    const int64_t mirrored = input.shape[d] - g.border;
    if (before > mirrored || (after > 0 && input.shape[d] == 0)) {
      throw InputError("dimension {} of input {} is padded by ({}, {}), its mirror image has {}", d,
                       input.shape.ToString(), before, after, mirrored);
    }
    g.input[d] = input.shape[d], g.output[d] = paddings.padded[d], g.before[d] = before;
  }
  return [g, bits](const RunContext& run) { kernels::ref::MirrorPad(g, bits, run.Input(0).data, RawOutput(run, 0)); };
}

}  // namespace assay::ops
