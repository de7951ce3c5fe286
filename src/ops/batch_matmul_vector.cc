#include "ops/batch_matmul_vector.h"

#include <algorithm>
#include <limits>

#include "kernels/simd/batch_matmul.h"
#include "kernels/simd/target.h"
#include "ops/packed_cache.h"
#include "ops/packed_weights.h"
#include "ops/vector_operands.h"

namespace assay::ops {
namespace {

using kernels::ref::Batches;
using kernels::ref::BatchMatMulGeometry;
using kernels::ref::BatchMatMulHybridRule;
using kernels::ref::BatchPosition;
using kernels::ref::DynamicRange;
using kernels::simd::MatMulRows;
using kernels::simd::MatMulShape;
using kernels::simd::PaddedOutputs;
using kernels::simd::Range;

size_t Size(int64_t count) { return static_cast<size_t>(count); }

MatMulShape ShapeOf(const BatchMatMulGeometry& g) {
  return {Size(g.rows), Size(g.depth), Size(g.columns), g.x_transposed};
}

// Inner batch dimensions along which w repeats become more rows of one matrix: x has them one after the other.
// range_step: see BatchMatMulHybridRule; null where rows have no ranges.
BatchMatMulGeometry Folded(BatchMatMulGeometry g, const int64_t* range_step) {
  while (g.batch_dims > 0) {
    const int d = g.batch_dims - 1;
    const int64_t extent = g.extent[d];
    const bool follows =
        g.x_step[d] == 1 && g.w_step[d] == 0 && (range_step == nullptr || range_step[d] == g.rows) && !g.x_transposed;
    if (extent != 1 && !follows) break;
    g.rows *= extent;
    for (int outer = 0; outer < d; ++outer) g.x_step[outer] /= extent;
    --g.batch_dims;
  }
  return g;
}

// One kind of second operand: how a matrix of it is packed.
struct PackingForm {
  size_t value_bytes;   // as it is stored
  size_t matrix_bytes;  // packed
  // The columns `columns`, which begin with a whole tile, of matrix w to their place in `packed`.
  void (*pack)(const BatchMatMulGeometry& g, const uint8_t* w, Range columns, uint8_t* packed);
  PackedCache::Layout layout;
  double ns_per_value;
};

size_t WholeLines(size_t bytes) { return (bytes + 63) / 64 * 64; }

// Where the columns that begin with `first` are stored.
template <typename W>
const W* ColumnsFrom(const BatchMatMulGeometry& g, const uint8_t* w, size_t first) {
  return reinterpret_cast<const W*>(w) + first * (g.w_transposed ? Size(g.depth) : 1);
}

void PackFloats(const BatchMatMulGeometry& g, const uint8_t* w, Range columns, uint8_t* packed) {
  const size_t depth = Size(g.depth), count = columns.end - columns.begin;
  const auto* from = ColumnsFrom<float>(g, w, columns.begin);
  float* to = reinterpret_cast<float*>(packed) + columns.begin * depth;
  if (g.w_transposed) {
    kernels::simd::PackWeightsFloat(count, depth, from, to);
  } else {
    kernels::simd::PackColumnsFloat(count, depth, Size(g.columns), from, to);
  }
}

PackingForm FormOfFloats(const BatchMatMulGeometry& g) {
  return {sizeof(float), WholeLines(PaddedOutputs(Size(g.columns)) * Size(g.depth) * sizeof(float)), PackFloats,
          PackedCache::Layout::kFloatMatrices, 0.5};
}

// The packed codes, then the sums of the columns.
size_t CodeBytes(const BatchMatMulGeometry& g) {
  return PaddedOutputs(Size(g.columns)) * kernels::simd::PaddedLine(Size(g.depth));
}
const int32_t* ColumnSums(const BatchMatMulGeometry& g, const uint8_t* packed) {
  return reinterpret_cast<const int32_t*>(packed + CodeBytes(g));
}

void PackCodes(const BatchMatMulGeometry& g, const uint8_t* w, Range columns, uint8_t* packed) {
  const size_t depth = Size(g.depth), count = columns.end - columns.begin;
  const auto* from = ColumnsFrom<int8_t>(g, w, columns.begin);
  int8_t* to = reinterpret_cast<int8_t*>(packed) + columns.begin * kernels::simd::PaddedLine(depth);
  if (g.w_transposed) {
    kernels::simd::PackWeights8Bit(count, 1, depth, from, to);
  } else {
    kernels::simd::PackColumns8Bit(count, depth, Size(g.columns), from, to);
  }
  auto* sums = reinterpret_cast<int32_t*>(packed + CodeBytes(g));
  kernels::simd::SumColumns8Bit(count, depth, to, sums + columns.begin);
}

PackingForm Form8Bit(const BatchMatMulGeometry& g) {
  return {1, WholeLines(CodeBytes(g) + PaddedOutputs(Size(g.columns)) * sizeof(int32_t)), PackCodes,
          PackedCache::Layout::kCodeMatrices, 0.3};
}

// Sums stay exact with weights of 8 bits: of 16-bit ones there are two.
template <typename W>
constexpr size_t kParts = sizeof(W);

template <typename W>
void PackWide(const BatchMatMulGeometry& g, const uint8_t* w, Range columns, uint8_t* packed) {
  const size_t depth = Size(g.depth), count = columns.end - columns.begin;
  const size_t padded_depth = kernels::simd::PaddedDepth16(depth);
  const kernels::simd::WeightSteps steps =
      g.w_transposed ? kernels::simd::WeightSteps{depth, 1} : kernels::simd::WeightSteps{1, Size(g.columns)};
  const auto* from = ColumnsFrom<W>(g, w, columns.begin);
  int16_t* to = reinterpret_cast<int16_t*>(packed) + columns.begin * padded_depth;
  if constexpr (sizeof(W) == 1) {
    kernels::simd::PackStrided16Bit(count, depth, steps, from, to);
  } else {
    kernels::simd::PackSplit16Bit(count, depth, steps, from, to, to + PaddedOutputs(Size(g.columns)) * padded_depth);
  }
}

template <typename W>
PackingForm Form16Bit(const BatchMatMulGeometry& g) {
  return {sizeof(W),
          WholeLines(kParts<W> * PaddedOutputs(Size(g.columns)) * kernels::simd::PaddedDepth16(Size(g.depth)) *
                     sizeof(int16_t)),
          PackWide<W>, PackedCache::Layout::kWideMatrices, 1};
}

// The second operand's matrices, packed: constant ones when the op is prepared; others at run time, where each is
// needed once matrix by matrix in the memory of the thread that needs it, else all at first.
class PackedMatrices {
 public:
  PackedMatrices(PrepareContext& context, const BatchMatMulGeometry& g, const PackingForm& form, bool all_at_once)
      : g_(g), form_(form), threads_(context.threads()) {
    const TensorRef& w = context.Input(1);
    count_ = Size(w.size()) / (Size(g.depth) * Size(g.columns));
    if (context.IsKnown(1)) {
      constant_ = SharePacked(
          w, Size(g.depth), 2 * Size(g.columns) + (g.w_transposed ? 1 : 0), form.layout,
          [&]() -> PackedArray<uint8_t> {
            AlignedVector<uint8_t> packed(count_ * form.matrix_bytes);
            for (size_t m = 0; m < count_; ++m) Pack(w.data, m, packed.data() + m * form.matrix_bytes);
            return packed;
          },
          [&](const PackedArray<uint8_t>& packed) { return packed.size() == count_ * form.matrix_bytes; });
    } else if (all_at_once || count_ <= Size(threads_) || Size(Batches(g)) > count_) {
      all_ = context.AddScratch(uint64_t{count_} * form.matrix_bytes);
    } else {
      own_.emplace(context, sizeof(Own) + form.matrix_bytes);
    }
  }

  // To be called before a run's first Get.
  void Begin(const RunContext& run) const {
    if (own_.has_value()) {
      for (int worker = 0; worker < threads_; ++worker) OwnOf(run, worker)->matrix = kNone;
    }
    if (all_ < 0) return;
    const size_t columns = Size(g_.columns), tiles = (columns + kTileColumns - 1) / kTileColumns;
    uint8_t* packed = run.Scratch(all_).data();
    const uint8_t* w = run.Input(1).data;
    const double ns = form_.ns_per_value * static_cast<double>(g_.depth) * static_cast<double>(kTileColumns);
    run.pool().Run(count_ * tiles, GrainOf(ns), [&](size_t begin, size_t end, int) {
      for (size_t i = begin; i < end; ++i) {
        const size_t m = i / tiles, first = i % tiles * kTileColumns;
        form_.pack(g_, MatrixOf(w, m), {first, std::min(first + kTileColumns, columns)},
                   packed + m * form_.matrix_bytes);
      }
    });
  }

  const uint8_t* Get(const RunContext& run, size_t matrix, int worker) const {
    if (constant_ != nullptr) return constant_->data() + matrix * form_.matrix_bytes;
    if (all_ >= 0) return run.Scratch(all_).data() + matrix * form_.matrix_bytes;
    Own* own = OwnOf(run, worker);
    auto* packed = reinterpret_cast<uint8_t*>(own + 1);
    if (own->matrix != matrix) Pack(run.Input(1).data, matrix, packed);
    own->matrix = matrix;
    return packed;
  }

 private:
  static constexpr size_t kTileColumns = 4 * kernels::simd::kChannelBlock;
  static constexpr size_t kNone = std::numeric_limits<size_t>::max();
  struct alignas(64) Own {
    size_t matrix;  // which one lies behind this
  };

  Own* OwnOf(const RunContext& run, int worker) const { return reinterpret_cast<Own*>(own_->Of(run, worker)); }
  const uint8_t* MatrixOf(const uint8_t* w, size_t matrix) const {
    return w + matrix * Size(g_.depth) * Size(g_.columns) * form_.value_bytes;
  }
  void Pack(const uint8_t* w, size_t matrix, uint8_t* packed) const {
    form_.pack(g_, MatrixOf(w, matrix), {0, Size(g_.columns)}, packed);
  }

  BatchMatMulGeometry g_;
  PackingForm form_;
  int threads_;
  size_t count_ = 0;
  std::shared_ptr<const PackedArray<uint8_t>> constant_;
  int all_ = -1;
  std::optional<ThreadScratch> own_;
};

// Whether the vector kernels serve. So few products the plain loops have added up before packing is done.
constexpr int64_t kFewProducts = 64;
bool VectorsServe(const PrepareContext& context, const BatchMatMulGeometry& g, const PackingForm& form,
                  int64_t few = kFewProducts) {
  return !context.shapes_only() && kernels::simd::UsesVectors() && Batches(g) * g.rows * g.columns * g.depth > few &&
         IsWorthPacking(form.matrix_bytes, Size(g.depth * g.columns) * form.value_bytes);
}

// Calls compute(position, rows, output matrix, worker) for parts of all output rows; one costs about ns_per_row.
template <typename Compute>
void ForMatMulParts(const RunContext& run, const BatchMatMulGeometry& g, double ns_per_row, const Compute& compute) {
  // Pieces that fill whole tiles of the matrix kernels.
  constexpr size_t kTileRows = 24;
  const size_t rows = Size(g.rows), tiles = (rows + kTileRows - 1) / kTileRows;
  const double ns_per_tile = ns_per_row * static_cast<double>(std::min(rows, kTileRows));
  run.pool().Run(Size(Batches(g)) * tiles, GrainOf(ns_per_tile), [&](size_t begin, size_t end, int worker) {
    for (size_t batch = begin / tiles; batch * tiles < end; ++batch) {
      const size_t first = std::max(begin, batch * tiles) - batch * tiles;
      const size_t last = std::min(end - batch * tiles, tiles);
      compute(Locate(g, static_cast<int64_t>(batch), g.x_step, g.w_step),
              Range{first * kTileRows, std::min(last * kTileRows, rows)}, batch, worker);
    }
  });
}

template <typename T>
MatMulRows<T> MatrixRows(const TensorRef& x, const BatchMatMulGeometry& g, int64_t matrix) {
  const size_t first = Size(matrix * g.rows * g.depth);
  return {ShapeOf(g), reinterpret_cast<const T*>(x.data) + first, x.bytes / sizeof(T) - first};
}

double NsPerRow(const BatchMatMulGeometry& g, double ns_per_output, double products_per_ns) {
  return static_cast<double>(g.columns) * (ns_per_output + static_cast<double>(g.depth) / products_per_ns);
}

// One offset per column.
size_t OffsetBytes(const BatchMatMulGeometry& g) {
  return WholeLines(PaddedOutputs(Size(g.columns)) * sizeof(int32_t));
}

// A product of 8-bit codes, and what is needed beside its packed matrices.
struct Product8 {
  Product8(PrepareContext& context, const BatchMatMulGeometry& geometry, int32_t x_zero_point, int32_t w_zero_point)
      : g(geometry),
        weights(context, g, Form8Bit(g), /*all_at_once=*/false),
        // As the kernels see it, without sign.
        x_zero(static_cast<uint32_t>(x_zero_point + kernels::simd::kSignBit)),
        w_zero(w_zero_point),
        scratch(context, OffsetBytes(g) + kernels::simd::MatMul8BitScratch(ShapeOf(g))) {}

  // sum (x - x_zero) (w - w_zero) = sum x w - x_zero sum w + depth x_zero w_zero, less w_zero sum x of each row
  kernels::simd::Matrix8Bit MatrixOf(const RunContext& run, int64_t matrix, int worker) const {
    const uint8_t* packed = weights.Get(run, Size(matrix), worker);
    const int32_t* sums = ColumnSums(g, packed);
    auto* offsets = reinterpret_cast<int32_t*>(scratch.Of(run, worker));
    const uint32_t constant = static_cast<uint32_t>(g.depth) * x_zero * static_cast<uint32_t>(w_zero);
    for (size_t c = 0; c < PaddedOutputs(Size(g.columns)); ++c) {
      offsets[c] = static_cast<int32_t>(constant - x_zero * static_cast<uint32_t>(sums[c]));
    }
    kernels::simd::Matrix8Bit of_matrix = {};
    of_matrix.outputs = Size(g.columns), of_matrix.lines = 1, of_matrix.line_depth = Size(g.depth);
    of_matrix.weights = reinterpret_cast<const int8_t*>(packed);
    of_matrix.offsets = offsets;
    return of_matrix;
  }
  uint8_t* ScratchOf(const RunContext& run, int worker) const { return scratch.Of(run, worker) + OffsetBytes(g); }

  BatchMatMulGeometry g;
  PackedMatrices weights;
  uint32_t x_zero;
  int32_t w_zero;
  ThreadScratch scratch;
};

}  // namespace

std::optional<RunFn> PrepareVectorMatMulFloat(PrepareContext& context, const BatchMatMulGeometry& geometry) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  const BatchMatMulGeometry g = Folded(geometry, nullptr);
  const PackingForm form = FormOfFloats(g);
  // XNNPACK's bits come from its order of summation, which the plain loops do not have.
  const int64_t few = context.engine() == numerics::Engine::kXnnpack ? 0 : kFewProducts;
  if (!VectorsServe(context, g, form, few)) return std::nullopt;
  const PackedMatrices weights(context, g, form, /*all_at_once=*/false);
  const ThreadScratch scratch(context, kernels::simd::MatMulFloatScratch(ShapeOf(g)));
  const auto bias = std::make_shared<const AlignedVector<float>>(PaddedOutputs(Size(g.columns)));
  return [g, weights, scratch, bias, ns = NsPerRow(g, 0.2, 50)](const RunContext& run) {
    weights.Begin(run);
    float* output = run.Out<float>(0).data();
    ForMatMulParts(run, g, ns, [&](const BatchPosition& at, Range rows, size_t batch, int worker) {
      const auto* packed = reinterpret_cast<const float*>(weights.Get(run, Size(at.w_matrix), worker));
      kernels::simd::MatMulFloat({Size(g.columns), Size(g.depth), packed, bias->data(), -kInf, kInf},
                                 MatrixRows<float>(run.Input(0), g, at.x_matrix), rows, scratch.Of(run, worker),
                                 output + batch * Size(g.rows * g.columns));
    });
  };
}

std::optional<RunFn> PrepareVectorMatMul8Bit(PrepareContext& context, const BatchMatMulGeometry& geometry,
                                             const numerics::ChannelScale& scale, const numerics::OutputStage& stage) {
  const BatchMatMulGeometry g = Folded(geometry, nullptr);
  if (!VectorsServe(context, g, Form8Bit(g))) return std::nullopt;
  const Product8 product(context, g, context.Input(0).zero_point(), context.Input(1).zero_point());
  const auto scales = std::make_shared<const PackedScales>(std::vector(Size(g.columns), scale));
  return [g, product, scales, stage, ns = NsPerRow(g, 0.2, 150)](const RunContext& run) {
    product.weights.Begin(run);
    ForMatMulParts(run, g, ns, [&](const BatchPosition& at, Range rows, size_t batch, int worker) {
      kernels::simd::Matrix8Bit matrix = product.MatrixOf(run, at.w_matrix, worker);
      matrix.scales = scales->view(), matrix.stage = stage;
      kernels::simd::MatMul8Bit(matrix, product.w_zero, MatrixRows<uint8_t>(run.Input(0), g, at.x_matrix), rows,
                                product.ScratchOf(run, worker), run.Output(0).data + batch * Size(g.rows * g.columns));
    });
  };
}

std::optional<RunFn> PrepareVectorMatMulInt8ToInt32(PrepareContext& context, const BatchMatMulGeometry& geometry) {
  const BatchMatMulGeometry g = Folded(geometry, nullptr);
  if (!VectorsServe(context, g, Form8Bit(g))) return std::nullopt;
  const Product8 product(context, g, 0, 0);
  return [g, product, ns = NsPerRow(g, 0.2, 150)](const RunContext& run) {
    product.weights.Begin(run);
    int32_t* output = run.Out<int32_t>(0).data();
    ForMatMulParts(run, g, ns, [&](const BatchPosition& at, Range rows, size_t batch, int worker) {
      kernels::simd::MatMul8BitSums(product.MatrixOf(run, at.w_matrix, worker),
                                    MatrixRows<uint8_t>(run.Input(0), g, at.x_matrix), rows,
                                    product.ScratchOf(run, worker), output + batch * Size(g.rows * g.columns));
    });
  };
}

namespace {

template <typename W>
std::optional<RunFn> PrepareInt16By(PrepareContext& context, const BatchMatMulGeometry& g,
                                    const numerics::ChannelScale& scale, const numerics::OutputStage& stage) {
  constexpr size_t kCount = kParts<W>;
  const PackingForm form = Form16Bit<W>(g);
  if (!VectorsServe(context, g, form)) return std::nullopt;
  const PackedMatrices weights(context, g, form, /*all_at_once=*/false);
  const ThreadScratch scratch(context, kernels::simd::MatMulInt16Scratch(ShapeOf(g), kCount));
  const auto columns = Size(g.columns);
  const auto packed_stage = std::make_shared<const Packed16BitStage>(
      stage, std::vector<numerics::ChannelScale>(columns, scale), /*wide=*/true);
  return [g, weights, scratch, packed_stage, columns, ns = NsPerRow(g, 0.5, 60.0 / kCount)](const RunContext& run) {
    weights.Begin(run);
    int16_t* output = run.Out<int16_t>(0).data();
    ForMatMulParts(run, g, ns, [&](const BatchPosition& at, Range rows, size_t batch, int worker) {
      const auto* packed = reinterpret_cast<const int16_t*>(weights.Get(run, Size(at.w_matrix), worker));
      kernels::simd::MatMulInt16({kCount * PaddedOutputs(columns), Size(g.depth), packed}, kCount, packed_stage->view(),
                                 MatrixRows<int16_t>(run.Input(0), g, at.x_matrix), rows, scratch.Of(run, worker),
                                 output + batch * Size(g.rows) * columns);
    });
  };
}

}  // namespace

std::optional<RunFn> PrepareVectorMatMulInt16(PrepareContext& context, const BatchMatMulGeometry& geometry,
                                              const numerics::ChannelScale& scale, const numerics::OutputStage& stage) {
  const BatchMatMulGeometry g = Folded(geometry, nullptr);
  if (context.Input(1).dtype == DType::kInt8) return PrepareInt16By<int8_t>(context, g, scale, stage);
  return PrepareInt16By<int16_t>(context, g, scale, stage);
}

std::optional<RunFn> PrepareVectorMatMulHybrid(PrepareContext& context, const BatchMatMulGeometry& geometry,
                                               const BatchMatMulHybridRule& rule, const std::vector<float>& scales) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  const BatchMatMulGeometry g = Folded(geometry, rule.range_step);
  const PackingForm form = Form8Bit(g);
  if (!VectorsServe(context, g, form)) return std::nullopt;
  // A matrix may be scaled by the sums of another one (BatchMatMulHybridRule::sum_step).
  const PackedMatrices weights(context, g, form, /*all_at_once=*/true);
  const TensorRef& x = context.Input(0);
  const size_t padded = PaddedOutputs(Size(g.columns));
  const size_t x_rows = Size(rule.x_matrices * geometry.rows), x_matrices = x_rows / Size(g.rows);
  struct State {
    AlignedVector<float> scales, bias;
  };
  auto state = std::make_shared<State>();
  state->scales.resize(padded), state->bias.resize(padded);
  std::ranges::copy(scales, state->scales.begin());
  const int codes_memory = context.AddScratch(static_cast<uint64_t>(x.size()) + kernels::simd::kCodeSlack);
  const int ranges_memory = context.AddScratch(uint64_t{x_rows} * sizeof(DynamicRange));
  const ThreadScratch scratch(context, std::max(kernels::simd::QuantizeMatMulRowsScratch(ShapeOf(g)), OffsetBytes(g)));
  // All of x's matrices, to be quantized.
  BatchMatMulGeometry all = g;
  all.batch_dims = 1, all.extent[0] = static_cast<int64_t>(x_matrices), all.x_step[0] = 1, all.w_step[0] = 0;
  return [=](const RunContext& run) {
    uint8_t* codes = run.Scratch(codes_memory).data();
    auto* ranges = reinterpret_cast<DynamicRange*>(run.Scratch(ranges_memory).data());
    weights.Begin(run);
    ForMatMulParts(run, all, 0.2 * static_cast<double>(g.depth),
                   [&](const BatchPosition& at, Range rows, size_t /*batch*/, int worker) {
                     kernels::simd::QuantizeMatMulRows(
                         rule.quantizer, MatrixRows<float>(run.Input(0), g, at.x_matrix), rows, scratch.Of(run, worker),
                         codes + at.x_matrix * g.rows * g.depth, ranges + at.x_matrix * g.rows);
                   });
    float* output = run.Out<float>(0).data();
    ForMatMulParts(run, g, NsPerRow(g, 0.4, 150), [&](const BatchPosition& at, Range rows, size_t batch, int worker) {
      const BatchPosition scaled_by = Locate(g, static_cast<int64_t>(batch), rule.range_step, rule.sum_step);
      kernels::simd::MatrixHybrid matrix = {};
      matrix.sums.outputs = Size(g.columns), matrix.sums.lines = 1, matrix.sums.line_depth = Size(g.depth);
      matrix.sums.weights = reinterpret_cast<const int8_t*>(weights.Get(run, Size(at.w_matrix), worker));
      matrix.weight_sums = ColumnSums(g, weights.Get(run, Size(scaled_by.w_matrix / g.columns), worker));
      // The kernel takes away 128 + the zero point times the sums that it is given; the 128 are of the sign, for which
      // it is the matrix's own sums that count.
      const int32_t* own_sums = ColumnSums(g, weights.Get(run, Size(at.w_matrix), worker));
      auto* offsets = reinterpret_cast<int32_t*>(scratch.Of(run, worker));
      for (size_t c = 0; c < padded; ++c) {
        offsets[c] = static_cast<int32_t>(kernels::simd::kSignBit * (static_cast<uint32_t>(matrix.weight_sums[c]) -
                                                                     static_cast<uint32_t>(own_sums[c])));
      }
      matrix.sums.offsets = offsets;
      matrix.scales = state->scales.data(), matrix.bias = state->bias.data();
      matrix.scaling = rule.scaling, matrix.low = -kInf, matrix.high = kInf;
      kernels::simd::MatMulHybrid(matrix, ShapeOf(g), codes + at.x_matrix * g.rows * g.depth,
                                  ranges + scaled_by.x_matrix, rows, output + batch * Size(g.rows * g.columns));
    });
  };
}

}  // namespace assay::ops
