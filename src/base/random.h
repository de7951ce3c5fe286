// Random numbers that are the same on every machine and compiler: xoshiro256++ seeded by splitmix64 (Blackman and
// Vigna's public algorithms), and distributions that need no mathematical library.
#pragma once

#include <cstdint>

namespace assay {

class Random {
 public:
  // `stream` separates sequences of one seed: sample i of a data set draws from Random(seed, i).
  explicit Random(uint64_t seed, uint64_t stream = 0) {
    uint64_t mixer = seed;
    mixer = SplitMix(mixer) ^ (stream * 0xD1342543DE82EF95U);
    for (uint64_t& word : state_) word = SplitMix(mixer);
  }

  uint64_t Next() {
    const uint64_t result = Rotate(state_[0] + state_[3], 23) + state_[0];
    const uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = Rotate(state_[3], 45);
    return result;
  }

  // In [0, 1), a multiple of 2^-53.
  double Uniform() { return static_cast<double>(Next() >> 11) * 0x1p-53; }
  double Uniform(double low, double high) { return low + (high - low) * Uniform(); }

  // In [0, bound) without bias; `bound` > 0.
  uint64_t Below(uint64_t bound) {
    const uint64_t reject_below = (0 - bound) % bound;  // 2^64 mod bound
    uint64_t draw = Next();
    while (draw < reject_below) draw = Next();
    return draw % bound;
  }

  // In [low, high], both ends included.
  int32_t Between(int32_t low, int32_t high) {
    return low + static_cast<int32_t>(Below(static_cast<uint64_t>(int64_t{high} - low) + 1));
  }

  bool Chance(double probability) { return Uniform() < probability; }

  // Mean 0, variance 1: the sum of twelve uniform numbers less its mean, so within [-6, 6].
  double Normal() {
    double sum = -6.0;
    for (int i = 0; i < 12; ++i) sum += Uniform();
    return sum;
  }

 private:
  static uint64_t Rotate(uint64_t x, int bits) { return (x << bits) | (x >> (64 - bits)); }
  static uint64_t SplitMix(uint64_t& state) {
    uint64_t z = (state += 0x9E3779B97F4A7C15U);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
  }

  uint64_t state_[4];
};

}  // namespace assay
