// EMBEDDING_LOOKUP: rows of a table [rows, ...] by int32 indices; every fixed-size type as it is, int8, uint8 and int4
// to float32 by one scale or one per row.
#include "kernels/ref/embedding_lookup.h"

#include <algorithm>

#include "ops/checks.h"
#include "ops/ops.h"

namespace assay::ops {
namespace {

void CheckIndices(std::span<const int32_t> indices, int32_t rows) {
  for (const int32_t index : indices) {
    if (index < 0 || index >= rows) throw InputError("index {} is outside of the table's {} rows", index, rows);
  }
}

RunFn PrepareCopy(const TensorRef& table, int32_t rows, int64_t columns) {
  const int bits = DTypeBits(table.dtype);
  if (bits < 8) throw InputError("table is {}, whose rows have no kernel", DTypeName(table.dtype));
  return [rows, row_bytes = columns * (bits / 8)](const RunContext& run) {
    const auto indices = run.In<int32_t>(0);
    CheckIndices(indices, rows);
    kernels::ref::EmbeddingLookup(indices, run.Input(1).data, row_bytes, run.Output(0).data);
  };
}

RunFn PrepareDequantize(const TensorRef& table, int32_t rows, int64_t columns) {
  CheckType(table, "table", {DType::kInt8, DType::kUInt8, DType::kInt4});
  CheckQuantizedAlong(table, "table", 0, /*symmetric=*/true);
  return [rows, columns, scales = table.quantization().scale,
          packed = table.dtype == DType::kInt4](const RunContext& run) {
    const auto indices = run.In<int32_t>(0);
    CheckIndices(indices, rows);
    const uint8_t* data = run.Input(1).data;
    float* output = run.Out<float>(0).data();
    if (packed) {
      kernels::ref::EmbeddingLookupInt4(indices, data, columns, scales, output);
    } else {
      // The runtime takes codes of uint8 for signed ones.
      kernels::ref::EmbeddingLookupInt8(indices, reinterpret_cast<const int8_t*>(data), columns, scales, output);
    }
  };
}

}  // namespace

RunFn PrepareEmbeddingLookup(PrepareContext& context) {
  CheckArity(context, 2, 2, 1);
  const TensorRef &indices = context.Input(0), &table = context.Input(1), &output = context.Output(0);
  CheckType(indices, "lookup", {DType::kInt32});
  CheckRank(indices, "lookup", 1, 1);
  CheckRank(table, "table", 2, 8);
  Shape shape = table.shape;
  shape[0] = indices.shape[0];
  context.SetOutputShape(0, shape);
  const int64_t columns = Shape(table.shape.dims().subspan(1)).NumElements();
  if (output.dtype == table.dtype) return PrepareCopy(table, table.shape[0], columns);
  if (output.dtype == DType::kFloat32) return PrepareDequantize(table, table.shape[0], columns);
  UnsupportedTypes(context);
}

}  // namespace assay::ops
