// For tests: whether vector kernels give what the plain loops give.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "kernels/simd/test_targets.h"
#include "runtime/one_op_model.h"

namespace assay::runtime {

// On every instruction set, under every profile, with one thread and three: the same bytes. Floats, where `magnitudes`
// is the model on values without sign, within the bound of the rounding errors of two sums of `terms` products.
inline void CheckVectorKernels(const OneOpModel& model, const OneOpModel* magnitudes, int64_t terms,
                               const std::string& what) {
  const kernels::simd::TargetScope scope;
  for (const char* profile : {"reference", "builtin", "xnnpack"}) {
    kernels::simd::ForceTarget("none");
    ASSERT_EQ(model.Message(profile), "") << what;
    const Array expected = model.RunAll(profile).front();
    const Array sums = magnitudes != nullptr ? magnitudes->RunAll(profile).front() : Array();
    kernels::simd::OnEveryTarget([&](const std::string& target) {
      const Array one = model.RunAll(profile).front(), three = model.RunAll(profile, 1, /*threads=*/3).front();
      EXPECT_TRUE(std::ranges::equal(one.bytes(), three.bytes())) << target << ", threads, " << profile << ", " << what;
      if (magnitudes == nullptr) {
        EXPECT_TRUE(std::ranges::equal(one.bytes(), expected.bytes())) << target << ", " << profile << ", " << what;
        return;
      }
      const auto got = one.values<float>(), wanted = expected.values<float>(), bound = sums.values<float>();
      ASSERT_EQ(got.size(), bound.size()) << what;
      for (size_t i = 0; i < got.size(); ++i) {
        const double allowed = 2.0 * static_cast<double>(terms) * 0x1p-24 * static_cast<double>(bound[i]);
        ASSERT_LE(std::abs(static_cast<double>(got[i]) - static_cast<double>(wanted[i])), allowed)
            << target << ", " << profile << ", value " << i << ", " << what;
      }
    });
  }
}

}  // namespace assay::runtime
