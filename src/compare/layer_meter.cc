#include "compare/layer_meter.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "kernels/simd/channel_totals.h"
#include "kernels/simd/codes.h"
#include "kernels/simd/pair_sums.h"
#include "kernels/simd/target.h"
#include "tensor/real_values.h"

namespace assay::compare {
namespace {

using graph::BuiltinOp;
using graph::Operator;
using graph::Tensor;
using numerics::ErrorMeter;
using numerics::GrowingHistogram;

constexpr int kHistogramBins = 64;

TensorError Summary(const ErrorMeter& meter, const Tensor& tensor) {
  TensorError error;
  error.values = meter.count();
  error.different = meter.different();
  error.not_finite = meter.not_finite();
  error.sqnr_db = meter.sqnr_db();
  error.cosine = meter.cosine();
  error.max_abs = meter.max_abs();
  error.mean_abs = meter.mean_abs();
  error.bias = meter.mean();
  if (tensor.quantization.scale.size() == 1 && tensor.quantization.scale[0] > 0) {
    const auto scale = static_cast<double>(tensor.quantization.scale[0]);
    error.max_quanta = error.max_abs / scale;
    error.mean_quanta = error.mean_abs / scale;
  }
  return error;
}

void AddPairs(std::span<const float> reference, std::span<const float> value, ErrorMeter& meter) {
  if (kernels::simd::UsesVectors()) {
    const numerics::PairSums sums = kernels::simd::SumPairs(reference.data(), value.data(), reference.size());
    if (sums.is_finite()) return meter.Add(sums);
  }
  meter.Add(reference, value);
}

void AddValues(std::span<const float> values, GrowingHistogram& histogram) {
  constexpr size_t kFew = 1 << 13;  // values for which setting up tables does not pay
  if (values.size() >= kFew && kernels::simd::UsesVectors()) {
    const kernels::ref::Extent extent = kernels::simd::ExtentOf(values.data(), values.size());
    const auto bins = extent.all_finite
                          ? histogram.Reserve(extent.low, extent.high, static_cast<int64_t>(values.size()))
                          : std::nullopt;
    if (bins.has_value()) {
      return kernels::simd::CountBins(values.data(), values.size(), bins->per_width, bins->middle, bins->counts.size(),
                                      bins->counts.data());
    }
  }
  histogram.Add(values);
}

// A tensor's values as real numbers; bytes become such where they are asked for.
class Reals {
 public:
  Reals(const TensorView& value, const Tensor& tensor, std::vector<float>& room)
      : value_(value), tensor_(tensor), room_(room) {
    bytewise_ = (value.dtype == DType::kInt8 || value.dtype == DType::kUInt8) && tensor.quantization.scale.size() <= 1;
    if (!bytewise_) whole_ = RealValuesOf(value, tensor, room);
  }
  // Valid until the next.
  std::span<const float> Piece(size_t first, size_t count) {
    if (!bytewise_) return whole_.subspan(first, count);
    const Shape shape = {static_cast<int32_t>(count)};
    return RealValuesOf(TensorView{value_.dtype, shape, value_.bytes.subspan(first, count)}, tensor_, room_);
  }

 private:
  TensorView value_;
  const Tensor& tensor_;
  std::vector<float>& room_;
  bool bytewise_ = false;
  std::span<const float> whole_;
};

// How many values lie below `low` and above `high`.
std::pair<int64_t, int64_t> CountOutside(std::span<const float> values, double low, double high) {
  // For floats, being below a double is being below the least float that is not.
  auto least = static_cast<float>(low), greatest = static_cast<float>(high);
  if (static_cast<double>(least) < low) least = std::nextafterf(least, HUGE_VALF);
  if (static_cast<double>(greatest) > high) greatest = std::nextafterf(greatest, -HUGE_VALF);
  int64_t below = 0, above = 0;
  constexpr size_t kChunk = 1 << 16;
  for (size_t first = 0; first < values.size(); first += kChunk) {
    int32_t few_below = 0, few_above = 0;
    for (const float value : values.subspan(first, std::min(kChunk, values.size() - first))) {
      few_below += value < least ? 1 : 0;
      few_above += value > greatest ? 1 : 0;
    }
    below += few_below, above += few_above;
  }
  return {below, above};
}

// counts[code - lowest] += 1 for every stored code.
void CountCodes(const Array& stored, const CodeRange& codes, std::vector<int64_t>& counts) {
  if (stored.dtype() != DType::kInt8 && stored.dtype() != DType::kUInt8) {
    for (const float value : StoredValues(stored.dtype(), stored.bytes(), stored.size())) {
      ++counts[static_cast<size_t>(static_cast<int64_t>(value) - codes.low)];
    }
    return;
  }
  // Where many codes are alike, one counter would wait for itself: neighbours count in tables of their own.
  constexpr size_t kTables = 4;
  std::array<std::array<int64_t, 256>, kTables> tables = {};
  const std::span<const uint8_t> bytes = stored.bytes();
  size_t i = 0;
  for (; i + kTables <= bytes.size(); i += kTables) {
    for (size_t k = 0; k < kTables; ++k) ++tables[k][bytes[i + k]];
  }
  for (; i < bytes.size(); ++i) ++tables[0][bytes[i]];
  const size_t flip = stored.dtype() == DType::kInt8 ? 0x80 : 0;
  for (size_t b = 0; b < 256; ++b) {
    for (const auto& table : tables) counts[b ^ flip] += table[b];
  }
}

}  // namespace

bool HasCodes(const Tensor& tensor) {
  return IsQuantizedInteger(tensor.dtype) && tensor.quantization.scale.size() == 1 && tensor.quantization.scale[0] > 0;
}

bool HasPrescribedRange(BuiltinOp code) {
  return code == BuiltinOp::kSoftmax || code == BuiltinOp::kLogistic || code == BuiltinOp::kTanh ||
         code == BuiltinOp::kLogSoftmax || code == BuiltinOp::kL2Normalization;
}

LayerContext::LayerContext(const Study& of, const std::vector<ObservedRange>& observed, const graph::Model* ideal)
    : study(of),
      ranges(observed),
      ideal_reference(ideal),
      given(of.matches.size(), false),
      reference_given(of.reference_graph().tensors.size(), false),
      coded_of(reference_given.size(), -1) {
  for (size_t t = 0; t < given.size(); ++t) {
    if (!study.IsComparable(static_cast<int32_t>(t))) continue;
    given[t] = true;
    const auto r = static_cast<size_t>(study.matches[t].reference);
    reference_given[r] = true;
    if (HasCodes(study.model_graph().tensors[t])) coded_of[r] = static_cast<int32_t>(t);
  }
}

LayerMeter::LayerMeter(const LayerContext& context, LayerResult& layer) : context_(context), layer_(layer) {
  comparable_ = layer.reference_tensor >= 0 && context.given[static_cast<size_t>(layer.model_tensor)];
  if (!comparable_) {
    layer.local_missing = "the reference has no such tensor";
    return;
  }
  if (HasCodes(tensor())) {
    CodeUse& codes = codes_.emplace();
    codes.range.scale = static_cast<double>(tensor().quantization.scale[0]);
    codes.range.zero_point = tensor().quantization.first_zero_point();
    const RealRange range = RangeOf(tensor().dtype, tensor().quantization);
    codes.range.low = range.low, codes.range.high = range.high;
    codes.counts.assign(static_cast<size_t>(CodesOf(tensor().dtype).levels()), 0);
  }
  StartLocal();
  if (context.ideal_reference != nullptr && codes_.has_value()) StartIdeal();
}

void LayerMeter::StartLocal() {
  const Study& study = context_.study;
  try {
    const int32_t wanted[] = {layer_.model_tensor};
    passes::Segment cut = passes::ExtractSegment(*study.model, wanted, context_.given);
    for (const int32_t other : cut.ops) {
      const Operator& op = study.model_graph().operators[static_cast<size_t>(other)];
      const bool rounds = op.code == BuiltinOp::kQuantize || op.code == BuiltinOp::kDequantize;
      if (other == layer_.op_index || rounds || op.code == BuiltinOp::kShape) continue;
      layer_.extra_ops += fmt::format("{}{}", layer_.extra_ops.empty() ? "" : ", ", op.Name());
    }
    local_.emplace(std::move(cut), study.ModelOptions());
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kInput) throw;
    layer_.local_missing = error.what();
  }
}

void LayerMeter::StartIdeal() {
  try {
    const int32_t wanted[] = {layer_.reference_tensor};
    ideal_.emplace(passes::ExtractSegment(*context_.ideal_reference, wanted, context_.reference_given),
                   context_.study.options);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kInput) throw;
  }
}

void LayerMeter::Add(std::span<const SampleTrace> traces, Room& room) {
  if (!comparable_) return;
  for (const SampleTrace& trace : traces) {
    context_.study.CheckCancelled();
    if (!trace.reference.Has(layer_.reference_tensor) || !trace.model.Has(layer_.model_tensor)) continue;
    if (trace.reference.at(layer_.reference_tensor).size() != trace.model.at(layer_.model_tensor).size()) continue;
    try {
      if (local_.has_value()) RunLocal(trace, room);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kInput) throw;
      layer_.local_missing = error.what();
      local_.reset();
    }
    try {
      if (ideal_.has_value()) RunIdeal(trace, room);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kInput) throw;
      ideal_.reset();
    }
    Measure(trace, room);
  }
}

void LayerMeter::RunLocal(const SampleTrace& trace, Room& room) {
  const Study& study = context_.study;
  std::vector<Shape> shapes;
  for (const int32_t m : local_->inputs()) {
    const int32_t r = study.match_of(m);
    if (!trace.model.Has(m) || !trace.reference.Has(r) || trace.model.at(m).size() != trace.reference.at(r).size()) {
      throw InputError("the reference has other operands in some samples");
    }
    shapes.push_back(trace.model.at(m).shape());
  }
  local_->Run(shapes, [&](size_t i, std::span<uint8_t> bytes) {
    const int32_t m = local_->inputs()[i], r = study.match_of(m);
    StoreAs(RealValuesOf(trace.reference.at(r), study.reference_tensor(r), room.operand), study.model_tensor(m), bytes);
  });
  if (local_->Result(0).shape.NumElements() != trace.reference.at(layer_.reference_tensor).size()) {
    throw InputError("the layer alone gives another shape");
  }
}

void LayerMeter::RunIdeal(const SampleTrace& trace, Room& room) {
  const Study& study = context_.study;
  std::vector<Shape> shapes;
  for (const int32_t r : ideal_->inputs()) {
    if (!trace.reference.Has(r)) throw InputError("the reference has no such operand in some samples");
    shapes.push_back(trace.reference.at(r).shape());
  }
  ideal_->Run(shapes, [&](size_t i, std::span<uint8_t> bytes) {
    const int32_t r = ideal_->inputs()[i];
    const Array& given = trace.reference.at(r);
    if (context_.ideal_reference->subgraphs[0].tensors[static_cast<size_t>(r)].dtype != DType::kFloat32) {
      ASSAY_CHECK(given.bytes().size() == bytes.size());
      std::copy(given.bytes().begin(), given.bytes().end(), bytes.begin());
      return;
    }
    const std::span<const float> reals = RealValuesOf(given, study.reference_tensor(r), room.operand);
    const std::span<float> values = {reinterpret_cast<float*>(bytes.data()), bytes.size() / sizeof(float)};
    ASSAY_CHECK(values.size() == reals.size());
    const int32_t m = context_.coded_of[static_cast<size_t>(r)];
    std::copy(reals.begin(), reals.end(), values.begin());
    if (m < 0) return;
    const Quantization q = FaultlessQuantization(context_.ranges[static_cast<size_t>(r)], study.model_tensor(m));
    RoundToCodes(values, q, tensor().dtype);
  });
  const TensorView result = ideal_->Result(0);
  if (result.dtype != DType::kFloat32 ||
      result.shape.NumElements() != trace.reference.at(layer_.reference_tensor).size()) {
    throw InputError("the layer alone gives another shape");
  }
}

// Piece by piece, so that what is read from memory once serves all three errors.
void LayerMeter::Measure(const SampleTrace& trace, Room& room) {
  constexpr size_t kPiece = 1 << 16;
  const Study& study = context_.study;
  const Array& stored = trace.model.at(layer_.model_tensor);
  const Tensor& counterpart = study.reference_tensor(layer_.reference_tensor);
  Reals references(ViewOf(trace.reference.at(layer_.reference_tensor)), counterpart, room.wanted);
  Reals found(ViewOf(stored), tensor(), room.found);
  std::optional<Reals> local;
  if (local_.has_value()) local.emplace(local_->Result(0), tensor(), room.local);
  std::span<const float> ideal;
  Quantization faultless;
  if (ideal_.has_value()) {
    const std::span<const uint8_t> bytes = ideal_->Result(0).bytes;
    ideal = {reinterpret_cast<const float*>(bytes.data()), bytes.size() / sizeof(float)};
    const Operator& op = study.model_graph().operators[static_cast<size_t>(layer_.op_index)];
    const Quantization& own = tensor().quantization;
    const ObservedRange& range = context_.ranges[static_cast<size_t>(layer_.reference_tensor)];
    faultless =
        HasPrescribedRange(op.code) && own.zero_point.size() == 1 ? own : FaultlessQuantization(range, tensor());
  }
  const auto size = static_cast<size_t>(stored.size());
  for (size_t first = 0; first < size; first += kPiece) {
    const size_t count = std::min(kPiece, size - first);
    const std::span<const float> wanted = references.Piece(first, count);
    AddPairs(wanted, found.Piece(first, count), accumulated_);
    AddValues(wanted, reference_values_);
    if (codes_.has_value()) {
      const auto [below, above] = CountOutside(wanted, codes_->range.low - codes_->range.scale / 2,
                                               codes_->range.high + codes_->range.scale / 2);
      codes_->clipped_low += below, codes_->clipped_high += above;
    } else {
      AddValues(found.Piece(first, count), model_values_);
    }
    if (local.has_value()) AddPairs(wanted, local->Piece(first, count), local_error_);
    if (ideal_.has_value()) {
      room.ideal.assign(ideal.begin() + static_cast<ptrdiff_t>(first),
                        ideal.begin() + static_cast<ptrdiff_t>(first + count));
      RoundToCodes(room.ideal, faultless, tensor().dtype);
      AddPairs(wanted, room.ideal, ideal_error_);
    }
  }
  if (!codes_.has_value()) return;
  CountCodes(stored, CodesOf(tensor().dtype), codes_->counts);
  codes_->total += static_cast<int64_t>(size);
}

void LayerMeter::EndKept() {
  if (!ideal_.has_value()) return;
  layer_.ideal_sqnr_db = ideal_error_.sqnr_db();
  if (local_.has_value()) layer_.local_beside_ideal_db = local_error_.sqnr_db();
  ideal_.reset();
}

ObservedRange LayerMeter::seen() const {
  if (reference_values_.count() == 0) return {};
  return {true, reference_values_.min(), reference_values_.max()};
}

void LayerMeter::Finish(const std::vector<ObservedRange>& ranges) {
  if (!comparable_) return;
  layer_.accumulated = Summary(accumulated_, tensor());
  if (local_.has_value()) layer_.local = Summary(local_error_, tensor());
  if (codes_.has_value()) {
    const int64_t lowest = CodesOf(tensor().dtype).low;
    for (size_t k = 0; k < codes_->counts.size(); ++k) {
      const auto steps = static_cast<double>(static_cast<int64_t>(k) + lowest - codes_->range.zero_point);
      model_values_.Add(static_cast<float>(codes_->range.scale * steps), codes_->counts[k]);
    }
  }
  if (reference_values_.count() > 0 && model_values_.count() > 0) {
    Histogram& histogram = layer_.histogram;
    histogram.low = static_cast<double>(std::min(reference_values_.min(), model_values_.min()));
    histogram.high = static_cast<double>(std::max(reference_values_.max(), model_values_.max()));
    histogram.reference = reference_values_.Resample(histogram.low, histogram.high, kHistogramBins);
    histogram.model = model_values_.Resample(histogram.low, histogram.high, kHistogramBins);
  }
  if (codes_.has_value() && codes_->total > 0) FinishRange(ranges[static_cast<size_t>(layer_.reference_tensor)]);
}

void LayerMeter::FinishRange(const ObservedRange& range) {
  RangeUse use = codes_->range;
  const std::vector<int64_t>& counts = codes_->counts;
  const auto n = static_cast<double>(codes_->total);
  use.clipped_low = static_cast<double>(codes_->clipped_low) / n;
  use.clipped_high = static_cast<double>(codes_->clipped_high) / n;
  use.saturated_low = static_cast<double>(counts.front()) / n;
  use.saturated_high = static_cast<double>(counts.back()) / n;
  const auto used = [](int64_t count) { return count > 0; };
  const auto levels = static_cast<double>(counts.size());
  use.levels_used = static_cast<double>(std::count_if(counts.begin(), counts.end(), used)) / levels;
  const auto first = std::find_if(counts.begin(), counts.end(), used) - counts.begin();
  const auto last = std::find_if(counts.rbegin(), counts.rend(), used).base() - counts.begin() - 1;
  use.range_used = static_cast<double>(last - first) / (levels - 1);
  if (reference_values_.count() > 0) {
    use.reference_min = static_cast<double>(reference_values_.min());
    use.reference_max = static_cast<double>(reference_values_.max());
    use.reference_p01 = reference_values_.Quantile(0.001);
    use.reference_p999 = reference_values_.Quantile(0.999);
    const Quantization needed = QuantizationFor(range, tensor().dtype);
    if (!needed.scale.empty()) use.needed_scale = static_cast<double>(needed.scale[0]);
  }
  layer_.range = use;
}

}  // namespace assay::compare
