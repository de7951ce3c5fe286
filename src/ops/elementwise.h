// What the Prepare functions of elementwise ops share.
#pragma once

#include <array>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>

#include "kernels/ref/elementwise_binary.h"
#include "kernels/ref/elementwise_unary.h"
#include "kernels/ref/quantize.h"
#include "kernels/simd/elementwise.h"
#include "kernels/simd/target.h"
#include "ops/broadcast.h"
#include "ops/checks.h"

namespace assay::ops {

struct BinaryOperands {
  const TensorRef& a;
  const TensorRef& b;
  const TensorRef& output;
  kernels::ref::Broadcast<2> plan;
};

// Checks the arity and that both inputs have one type, sets the output's shape. Kernels read every element once, before
// they write it, so the output may lie over an operand that does not repeat. With `fold_rank` a constant of one
// element does not raise the output's rank: what XNNPACK does with 8-bit operands and a fused activation.
BinaryOperands PrepareBinary(PrepareContext& context, bool fold_rank = false);

// What an element of the simple vector kernels costs about, for handing out parts.
inline constexpr double kVectorElementNs = 0.1;

// The rows of a broadcast: runs along which an operand goes from value to value or repeats one.
class BroadcastRows {
 public:
  explicit BroadcastRows(const kernels::ref::Broadcast<2>& plan) : plan_(plan) {
    const auto last = static_cast<size_t>(plan.rank - 1);
    length_ = static_cast<size_t>(plan.extent[last]);
    for (size_t d = 0; d < last; ++d) count_ *= static_cast<size_t>(plan.extent[d]);
    a_repeats_ = plan.stride[0][last] == 0, b_repeats_ = plan.stride[1][last] == 0;
  }
  size_t count() const { return count_; }
  size_t length() const { return length_; }
  bool a_repeats() const { return a_repeats_; }
  bool b_repeats() const { return b_repeats_; }
  // How many neighbouring rows read the same row of one operand, and whether that is b; 1: none do.
  size_t sharing() const {
    const bool shared = plan_.rank > 1 && !a_repeats_ && !b_repeats_ && StepOf(0) + StepOf(1) == plan_.extent[At()];
    return shared ? static_cast<size_t>(plan_.extent[At() - 1]) : 1;
  }
  bool shares_b() const { return StepOf(1) == 0; }

  // Calls row(offset into a, offset into b) for the rows [begin, end).
  template <typename RowFn>
  void For(size_t begin, size_t end, const RowFn& row) const {
    const auto outer = static_cast<size_t>(plan_.rank - 1);
    std::array<int64_t, kernels::ref::kMaxBroadcastRank> position = {};
    std::array<int64_t, 2> at = {};
    auto left = static_cast<int64_t>(begin);
    for (size_t d = outer; d-- > 0;) {
      position[d] = left % plan_.extent[d], left /= plan_.extent[d];
      for (size_t k = 0; k < 2; ++k) at[k] += position[d] * plan_.stride[k][d];
    }
    for (size_t r = begin; r < end; ++r) {
      row(at[0], at[1]);
      for (size_t d = outer; d-- > 0;) {
        for (size_t k = 0; k < 2; ++k) at[k] += plan_.stride[k][d];
        if (++position[d] < plan_.extent[d]) break;
        for (size_t k = 0; k < 2; ++k) at[k] -= plan_.stride[k][d] * plan_.extent[d];
        position[d] = 0;
      }
    }
  }

 private:
  size_t At() const { return static_cast<size_t>(plan_.rank - 1); }
  int64_t StepOf(size_t operand) const { return plan_.stride[operand][At() - 1]; }

  kernels::ref::Broadcast<2> plan_;
  size_t count_ = 1, length_ = 0;
  bool a_repeats_, b_repeats_;
};

// Short rows of one operand that many rows share, as the factors of channels: written several times one after the
// other, so that kernels meet long ones.
template <typename T>
class SharedRows {
 public:
  SharedRows(PrepareContext& context, const BroadcastRows& rows) : rows_(rows) {
    // Small tensors gain less than the memory is worth.
    constexpr size_t kLongBytes = 1024, kLeastBytes = 16 * kLongBytes;
    if (rows.count() * rows.length() * sizeof(T) < kLeastBytes) return;
    times_ = std::min(kLongBytes / (std::max<size_t>(rows.length(), 1) * sizeof(T)), rows.sharing());
    if (serves()) scratch_ = context.AddScratch(uint64_t{bytes()} * static_cast<uint64_t>(context.threads()));
  }
  bool serves() const { return times_ > 1; }

  // Calls combine(row, offset into the other operand, count of values, the shared operand's values) for parts of the
  // rows [begin, end).
  template <typename CombineFn>
  void For(const RunContext& run, size_t begin, size_t end, int worker, const CombineFn& combine) const {
    const size_t length = rows_.length(), sharing = rows_.sharing();
    T* copies = reinterpret_cast<T*>(run.Scratch(scratch_).data() + bytes() * static_cast<size_t>(worker));
    const T* shared = run.In<T>(rows_.shares_b() ? 1 : 0).data();
    for (size_t row = begin; row < end;) {
      const size_t last = std::min(end, (row / sharing + 1) * sharing);
      rows_.For(row, row + 1, [&](int64_t a_at, int64_t b_at) {
        const T* from = shared + (rows_.shares_b() ? b_at : a_at);
        for (size_t t = 0; t < times_; ++t) std::copy_n(from, length, copies + t * length);
        for (int64_t at = rows_.shares_b() ? a_at : b_at; row < last;) {
          const size_t some = std::min(times_, last - row);
          combine(row, at, some * length, copies);
          row += some, at += static_cast<int64_t>(some * length);
        }
      });
    }
  }

 private:
  size_t bytes() const { return (times_ * rows_.length() * sizeof(T) + 63) / 64 * 64; }

  BroadcastRows rows_;
  size_t times_ = 1;
  int scratch_ = -1;
};

// combine(a, whether it repeats, b, whether it repeats, output, count) for parts of the rows.
template <typename T, typename CombineFn>
void CombineRows(const RunContext& run, const BroadcastRows& rows, double ns, const CombineFn& combine) {
  const T *a = run.In<T>(0).data(), *b = run.In<T>(1).data();
  T* out = run.Out<T>(0).data();
  const size_t length = rows.length();
  if (rows.count() == 1) {
    return run.Loop(length, GrainOf(ns), [&](size_t begin, size_t end, int) {
      combine(a + (rows.a_repeats() ? 0 : begin), rows.a_repeats(), b + (rows.b_repeats() ? 0 : begin),
              rows.b_repeats(), out + begin, end - begin);
    });
  }
  run.Loop(rows.count(), GrainOf(ns * static_cast<double>(length)), [&](size_t begin, size_t end, int) {
    T* to = out + begin * length;
    rows.For(begin, end, [&](int64_t a_at, int64_t b_at) {
      combine(a + a_at, rows.a_repeats(), b + b_at, rows.b_repeats(), to, length);
      to += length;
    });
  });
}

// output = f(a, b) over the broadcast shape; T is the type of both inputs. With a context rows are offered.
template <typename T, typename Out, typename F>
RunFn RunBinary(const BinaryOperands& operands, const F& f, PrepareContext* context = nullptr) {
  if constexpr (std::is_same_v<T, Out> && kernels::simd::kHasCombination<T, F>) {
    if (kernels::simd::UsesVectors()) {
      if (context != nullptr) context->OfferRows({.window = {}, .row_inputs = 2});
      const BroadcastRows all(operands.plan);
      if (context != nullptr) {
        if (const SharedRows<T> shared(*context, all); shared.serves()) {
          return [rows = all, shared, f](const RunContext& run) {
            const bool b = rows.shares_b();
            const T* other = run.In<T>(b ? 0 : 1).data();
            T* out = run.Out<T>(0).data();
            run.Loop(rows.count(), GrainOf(kVectorElementNs * static_cast<double>(rows.length())),
                     [&](size_t begin, size_t end, int worker) {
                       shared.For(run, begin, end, worker, [&](size_t row, int64_t at, size_t count, const T* values) {
                         kernels::simd::Combine<T, F>(b ? other + at : values, false, b ? values : other + at, false,
                                                      out + row * rows.length(), count, f);
                       });
                     });
          };
        }
      }
      return [rows = all, f](const RunContext& run) {
        CombineRows<T>(run, rows, kVectorElementNs,
                       [&](const T* a, bool a_repeats, const T* b, bool b_repeats, T* out, size_t count) {
                         kernels::simd::Combine<T, F>(a, a_repeats, b, b_repeats, out, count, f);
                       });
      };
    }
  }
  return [plan = operands.plan, f](const RunContext& run) {
    kernels::ref::BinaryElementwise(plan, run.In<T>(0).data(), run.In<T>(1).data(), run.Out<Out>(0).data(), f);
  };
}

// A tensor as bytes. Bools are read this way: a file may hold any byte for them.
std::span<const uint8_t> Bytes(const TensorRef& tensor);
std::span<uint8_t> MutableBytes(const TensorRef& tensor);

struct UnaryOperands {
  const TensorRef& input;
  const TensorRef& output;
};

// Checks the arity and that input and output have one type, sets the output's shape to the input's. `in_place`: whether
// the kernel reads every element once, before it writes it.
UnaryOperands PrepareUnary(PrepareContext& context, bool in_place = true);

template <typename In, typename Out, typename F>
void MapVectors(const RunContext& run, const F& f) {
  const auto x = run.In<In>(0);
  Out* y = run.Out<Out>(0).data();
  run.Loop(x.size(), GrainOf(kVectorElementNs), [&](size_t begin, size_t end, int) {
    kernels::simd::Map<In, Out, F>(x.data() + begin, y + begin, end - begin, f);
  });
}

// output[i] = f(input[i]). With a context rows are offered.
template <typename In, typename Out, typename F>
RunFn RunMap(const F& f, PrepareContext* context = nullptr) {
  if constexpr (kernels::simd::kHasMap<In, Out, F>) {
    if (kernels::simd::UsesVectors()) {
      if (context != nullptr) context->OfferRows({});
      return [f](const RunContext& run) { MapVectors<In, Out>(run, f); };
    }
  }
  return [f](const RunContext& run) { kernels::ref::Map(run.In<In>(0), run.Out<Out>(0), f); };
}

// output[i] = table[input[i]], both of one byte. With a context rows are offered, of all operands.
RunFn RunByteTable(const kernels::simd::ByteTable& table, PrepareContext* context = nullptr);

// As RunMap, for functions of 8-bit codes that are defined for all of them: computed once per code.
template <typename In, typename Out, typename F>
RunFn RunCodeMap(const F& f) {
  if constexpr (sizeof(In) == 1 && sizeof(Out) == 1) {
    kernels::simd::ByteTable table;
    for (int i = 0; i < 256; ++i) {
      table[static_cast<size_t>(i)] = static_cast<uint8_t>(static_cast<Out>(f(static_cast<In>(i))));
    }
    return RunByteTable(table);
  } else {
    return RunMap<In, Out>(f);
  }
}

// As RunMap, for functions of 16-bit codes: of large tensors computed once per code.
template <typename F>
RunFn RunInt16Map(const PrepareContext& context, size_t elements, const F& f) {
  constexpr size_t kCodes = size_t{1} << 16, kLarge = kCodes / 2;
  constexpr double kElementNs = 0.5;
  if (context.shapes_only() || elements < kLarge) return RunMap<int16_t, int16_t>(f);
  auto table = std::make_shared<std::array<int16_t, kCodes>>();
  for (size_t code = 0; code < kCodes; ++code) {
    const auto x = static_cast<int16_t>(code);
    (*table)[static_cast<uint16_t>(x)] = static_cast<int16_t>(f(x));
  }
  return [shared = std::shared_ptr<const std::array<int16_t, kCodes>>(table)](const RunContext& run) {
    const auto x = run.In<int16_t>(0);
    int16_t* y = run.Out<int16_t>(0).data();
    run.pool().Run(x.size(), GrainOf(kElementNs), [&](size_t begin, size_t end, int) {
      for (size_t i = begin; i < end; ++i) y[i] = (*shared)[static_cast<uint16_t>(x[i])];
    });
  };
}

// numerics::ToFixedPoint of a scale that came from a model. Throws InputError naming `what` where it is not finite.
numerics::FixedPointScale FixedPointOf(double scale, const char* what);

// Which scale belongs to an element of a tensor quantized along `dimension` (in range).
kernels::ref::ChannelAxis ChannelAxisOf(const Shape& shape, int dimension);

// The exponent of a scale that is a power of two, none where it is not. TFLite compares the logarithm, with a
// tolerance.
std::optional<int> PowerOfTwoExponent(float scale);

template <typename T>
struct PlainRange {
  T low, high;
};

// The clamp of a fused activation on values that are not quantized. TFLite's own kernels clamp floats to the finite
// range even without one; XNNPACK does not.
template <typename T>
PlainRange<T> PlainActivationRange(graph::Activation activation, numerics::Engine engine) {
  using Limits = std::numeric_limits<T>;
  const FloatRange real = ActivationRange(activation);
  if constexpr (std::is_floating_point_v<T>) {
    if (engine == numerics::Engine::kXnnpack) return {real.low, real.high};
  }
  return {real.low < -1 ? Limits::lowest() : static_cast<T>(real.low),
          real.high > 6 ? Limits::max() : static_cast<T>(real.high)};
}

}  // namespace assay::ops
