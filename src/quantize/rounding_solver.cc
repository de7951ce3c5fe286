#include "quantize/rounding_solver.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace assay::quantize {
namespace {

class Row {
 public:
  Row(const RoundingProblem& problem, std::span<const float> weights, std::span<const float> pull, float scale)
      : problem_(problem), weights_(weights), pull_(pull), scale_(scale), codes_(problem.depth), slope_(problem.depth) {
    const size_t n = problem.depth;
    for (size_t k = 0; k < n; ++k) codes_[k] = std::clamp(std::round(weights[k] / scale), -problem.most, problem.most);
    if (!pull.empty()) std::copy(pull.begin(), pull.end(), slope_.begin());
    for (size_t k = 0; k < n; ++k) AddColumn(k, ErrorAt(k));
    order_.resize(n);
    std::iota(order_.begin(), order_.end(), size_t{0});
    // What weighs most is settled first; what weighs little then makes up for it.
    std::stable_sort(order_.begin(), order_.end(), [&](size_t a, size_t b) { return Curve(a) > Curve(b); });
  }

  // One code after the other to its best place, until none moves.
  void DescendOneByOne() {
    constexpr int kRounds = 50;
    for (int round = 0; round < kRounds; ++round) {
      bool moved = false;
      for (const size_t k : order_) {
        const float best =
            std::clamp(codes_[k] - std::round(slope_[k] / (scale_ * Curve(k))), -problem_.most, problem_.most);
        const float step = best - codes_[k];
        if (step == 0 || Gain(k, step) <= Least()) continue;
        Move(k, step);
        moved = true;
      }
      if (!moved) return;
    }
  }

  // The best pair of single steps for each code; true where any helped.
  bool DescendByPairs() {
    bool moved = false;
    const size_t n = problem_.depth;
    for (const size_t i : order_) {
      float best = Least();
      size_t partner = n;
      float step_i = 0, step_j = 0;
      const float* row = &problem_.moments[i * n];
      for (const float di : {-1.0F, 1.0F}) {
        if (std::abs(codes_[i] + di) > problem_.most) continue;
        const float gain_i = Gain(i, di);
        const float cross = 2 * scale_ * scale_ * di;
        for (size_t j = 0; j < n; ++j) {
          // With H and the slope known, both signs of the second step follow from the same numbers.
          const float along = 2 * scale_ * slope_[j] + cross * row[j];
          const float dj = along > 0 ? -1.0F : 1.0F;
          const float gain = gain_i + std::abs(along) - scale_ * scale_ * Curve(j);
          if (gain <= best || j == i || std::abs(codes_[j] + dj) > problem_.most) continue;
          best = gain;
          partner = j;
          step_i = di;
          step_j = dj;
        }
      }
      if (partner == n) continue;
      Move(i, step_i);
      Move(partner, step_j);
      moved = true;
    }
    return moved;
  }

  RoundedRow Result() const {
    RoundedRow result;
    result.codes.reserve(codes_.size());
    for (size_t k = 0; k < codes_.size(); ++k) {
      result.codes.push_back(static_cast<int8_t>(codes_[k]));
      // slope = Hd + g, so d'(slope + g) = d'Hd + 2 d'g.
      const double g = pull_.empty() ? 0 : static_cast<double>(pull_[k]);
      result.error += static_cast<double>(ErrorAt(k)) * (static_cast<double>(slope_[k]) + g);
    }
    return result;
  }

 private:
  float Curve(size_t k) const { return problem_.moments[k * problem_.depth + k]; }
  float ErrorAt(size_t k) const { return codes_[k] * scale_ - weights_[k]; }
  // By how much the error falls when code k goes by `step`.
  float Gain(size_t k, float step) const {
    return -(2 * scale_ * step * slope_[k] + scale_ * scale_ * step * step * Curve(k));
  }
  // Steps that gain less than rounding in float32 hides would go around in circles.
  float Least() const { return 1e-6F * scale_ * scale_ * Curve(order_[0]); }
  void Move(size_t k, float step) {
    codes_[k] += step;
    AddColumn(k, scale_ * step);
  }
  void AddColumn(size_t k, float by) {
    if (by == 0) return;
    const float* row = &problem_.moments[k * problem_.depth];
    for (size_t j = 0; j < slope_.size(); ++j) slope_[j] += by * row[j];
  }

  const RoundingProblem& problem_;
  std::span<const float> weights_, pull_;
  float scale_;
  std::vector<float> codes_, slope_;  // slope: Hd + g, half the gradient
  std::vector<size_t> order_;
};

}  // namespace

RoundedRow RoundTogether(const RoundingProblem& problem, std::span<const float> weights, std::span<const float> pull,
                         float scale, bool pairs) {
  constexpr int kRounds = 20;
  Row row(problem, weights, pull, scale);
  row.DescendOneByOne();
  for (int round = 0; pairs && round < kRounds && row.DescendByPairs(); ++round) row.DescendOneByOne();
  return row.Result();
}

}  // namespace assay::quantize
