// Walks of ops that map element to element.
#pragma once

#include <cstdint>
#include <span>

#include "numerics/lookup_table.h"

namespace assay::kernels::ref {

template <typename In, typename Out, typename F>
void Map(std::span<const In> x, std::span<Out> y, const F& f) noexcept {
  for (size_t i = 0; i < x.size(); ++i) y[i] = static_cast<Out>(f(x[i]));
}

// T is int8_t or uint8_t.
template <typename T>
void Lookup(std::span<const T> x, std::span<T> y, const numerics::Table8& table) noexcept {
  Map(x, y, [&](T code) { return table[static_cast<uint8_t>(code)]; });
}

inline void Lookup(std::span<const int16_t> x, std::span<int16_t> y, const numerics::Table16& table) noexcept {
  Map(x, y, [&](int16_t code) { return numerics::Lookup16(code, table); });
}

}  // namespace assay::kernels::ref
