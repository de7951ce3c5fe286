// The parts of an LSTM of integers on every instruction set of this machine, against the arithmetic of kernels/ref.
#include "kernels/simd/lstm_integer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/random.h"
#include "kernels/simd/test_targets.h"

namespace assay::kernels::simd {
namespace {

TEST(LstmInteger, GatesAreRescaledAsTheReferenceDoes) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Random random(51, seed);
    const size_t count = kChannelBlock * static_cast<size_t>(random.Between(1, 6));
    std::vector<int32_t> sums(count), multiplier(count), left(count), right(count);
    std::vector<float> single(count);
    std::vector<double> real(count);
    std::vector<numerics::FixedPointScale> fixed(count);
    std::vector<int16_t> base(count);
    for (size_t i = 0; i < count; ++i) {
      const bool extreme = random.Chance(0.1);
      sums[i] = extreme ? (random.Chance(0.5) ? INT32_MIN : INT32_MAX) : random.Between(-3000000, 3000000);
      fixed[i] = numerics::ToFixedPoint(std::ldexp(1.0 + random.Uniform(), random.Between(-20, extreme ? 6 : 0)));
      multiplier[i] = fixed[i].multiplier;
      left[i] = std::max(fixed[i].shift, 0), right[i] = std::max(-fixed[i].shift, 0);
      base[i] = static_cast<int16_t>(random.Between(INT16_MIN, INT16_MAX));
    }
    const bool shifts = std::any_of(left.begin(), left.end(), [](int32_t shift) { return shift != 0; });
    const ChannelScales scales = {multiplier.data(), left.data(), right.data(), single.data(), real.data(), shifts};
    OnEveryTarget([&](const std::string& target) {
      for (const int16_t* from : {static_cast<const int16_t*>(nullptr), static_cast<const int16_t*>(base.data())}) {
        std::vector<int16_t> gates(count + 1, 77);
        RescaleLstmGates(sums.data(), scales, count, from, gates.data());
        for (size_t i = 0; i < count; ++i) {
          const int64_t wide =
              int64_t{numerics::MultiplyHalfAway(sums[i], fixed[i])} + (from == nullptr ? 0 : int64_t{from[i]});
          ASSERT_EQ(gates[i], std::clamp<int64_t>(wide, INT16_MIN, INT16_MAX)) << target << ", seed " << seed;
        }
        EXPECT_EQ(gates[count], 77) << "written behind the gates";
      }
    });
  }
}

// With weights of 0 the gates are their biases, and a step is what the cells do.
TEST(LstmInteger, CellsStepAsTheReferenceDoes) {
  std::vector<int16_t> logistic(1 << 16), tanh(1 << 16);
  for (int32_t x = INT16_MIN; x <= INT16_MAX; ++x) {
    logistic[static_cast<uint16_t>(x)] = ref::LstmLogistic(static_cast<int16_t>(x));
    tanh[static_cast<uint16_t>(x)] = ref::LstmTanh(static_cast<int16_t>(x), 3);
  }
  for (uint64_t seed = 0; seed < 100; ++seed) {
    Random random(52, seed);
    const int32_t cells = random.Between(1, 40);
    const auto size = static_cast<size_t>(cells);
    ref::LstmInteger lstm;
    lstm.sizes = {.inputs = 1, .aux_inputs = 0, .cells = cells, .outputs = cells};
    lstm.cell_exponent = -random.Between(9, 15);
    lstm.hidden_scale = numerics::ToFixedPoint(std::ldexp(1.0 + random.Uniform(), -random.Between(20, 24)));
    lstm.hidden_zero_point = random.Between(-128, 127);
    lstm.cell_clip = static_cast<int16_t>(random.Chance(0.3) ? random.Between(1, 20000) : 0);
    std::vector<int16_t> cell_tanh(1 << 16);
    for (int32_t x = INT16_MIN; x <= INT16_MAX; ++x) {
      cell_tanh[static_cast<uint16_t>(x)] = ref::LstmTanh(static_cast<int16_t>(x), 15 + lstm.cell_exponent);
    }
    const std::vector<int8_t> zeros(size * size);
    const std::vector<int32_t> no_bias(size);
    std::vector<int16_t> sums[ref::kLstmGates];
    std::vector<int32_t> bias[ref::kLstmGates];
    for (int gate = 0; gate < ref::kLstmGates; ++gate) {
      for (size_t c = 0; c < size; ++c) bias[gate].push_back(random.Between(INT16_MIN, INT16_MAX));
      sums[gate].assign(bias[gate].begin(), bias[gate].end());
      lstm.gates[gate].input = {zeros.data(), bias[gate].data(), numerics::ToFixedPoint(1)};
      lstm.gates[gate].recurrent = {zeros.data(), no_bias.data(), numerics::ToFixedPoint(1)};
    }
    std::vector<int16_t> state(size);
    for (int16_t& c : state) c = static_cast<int16_t>(random.Between(INT16_MIN, INT16_MAX));
    std::vector<int16_t> expected_state = state, gates(4 * size);
    std::vector<int8_t> output(size), expected(size), hidden(size);
    const int8_t input = 0;
    ref::LstmStepInteger(lstm, {0, cells}, &input, expected.data(), expected_state.data(), gates.data(), hidden.data());
    const int16_t* const each[] = {sums[0].data(), sums[1].data(), sums[2].data(), sums[3].data()};
    LstmIntegerCells(lstm, {logistic.data(), tanh.data(), cell_tanh.data()}, each, state.data(), output.data());
    EXPECT_EQ(state, expected_state) << "seed " << seed;
    EXPECT_EQ(output, expected) << "seed " << seed;
  }
}

}  // namespace
}  // namespace assay::kernels::simd
