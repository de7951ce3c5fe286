#include "report/layer_coordinates.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>
#include <utility>

namespace assay::report {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

using Layers = std::vector<std::vector<int>>;
using Pairs = std::set<std::pair<int, int>>;

class Coordinates {
 public:
  Coordinates(const Layers& layers, const std::vector<LayerItem>& items, const LayerSpacing& spacing)
      : layers_(layers), items_(items), spacing_(spacing), above_(items.size()), below_(items.size()) {
    std::vector<int> place(items.size(), -1);
    for (const auto& layer : layers_) {
      for (size_t i = 0; i < layer.size(); ++i) place[Index(layer[i])] = static_cast<int>(i);
    }
    for (const auto& layer : layers_) {
      for (const int v : layer) {
        for (const int u : items_[Index(v)].above) {
          if (place[Index(u)] < 0) continue;  // belongs to layers that are placed elsewhere
          above_[Index(v)].push_back(u);
          below_[Index(u)].push_back(v);
        }
      }
    }
    const auto by_place = [&](int a, int b) { return place[Index(a)] < place[Index(b)]; };
    for (const auto& layer : layers_) {
      for (const int v : layer) {
        std::sort(above_[Index(v)].begin(), above_[Index(v)].end(), by_place);
        std::sort(below_[Index(v)].begin(), below_[Index(v)].end(), by_place);
      }
    }
    place_ = std::move(place);
  }

  std::vector<double> Solve() {
    MarkConflicts();
    std::array<std::vector<double>, 4> four;
    size_t k = 0;
    for (const bool down : {true, false}) {
      for (const bool left : {true, false}) four[k++] = Align(down, left);
    }
    return Balance(four);
  }

 private:
  static size_t Index(int i) { return static_cast<size_t>(i); }

  // An edge between boxes that crosses a long edge's straight part gives way.
  void MarkConflicts() {
    for (size_t r = 1; r < layers_.size(); ++r) {
      const auto& layer = layers_[r];
      int left = 0;
      size_t scanned = 0;
      for (size_t i = 0; i < layer.size(); ++i) {
        const int inner = InnerNeighbour(layer[i]);
        if (inner < 0 && i + 1 != layer.size()) continue;
        const int right = inner < 0 ? std::numeric_limits<int>::max() : place_[Index(inner)];
        for (; scanned <= i; ++scanned) {
          const int v = layer[scanned];
          for (const int u : above_[Index(v)]) {
            const int p = place_[Index(u)];
            const bool both_tracks = items_[Index(u)].is_track && items_[Index(v)].is_track;
            if ((p < left || p > right) && !both_tracks) conflicts_.emplace(u, v);
          }
        }
        left = inner < 0 ? left : right;
      }
    }
  }

  int InnerNeighbour(int v) const {
    if (!items_[Index(v)].is_track) return -1;
    for (const int u : above_[Index(v)]) {
      if (items_[Index(u)].is_track) return u;
    }
    return -1;
  }

  // One of the four extreme alignments; mirrored ones are computed on mirrored places and turned back.
  std::vector<double> Align(bool down, bool left) const {
    const size_t n = items_.size();
    std::vector<int> root(n), next(n);
    std::iota(root.begin(), root.end(), 0);
    std::iota(next.begin(), next.end(), 0);
    const auto place = [&](int v) { return left ? place_[Index(v)] : -place_[Index(v)]; };
    for (size_t k = 0; k < layers_.size(); ++k) {
      const auto& layer = layers_[down ? k : layers_.size() - 1 - k];
      int taken = std::numeric_limits<int>::min();
      for (size_t i = 0; i < layer.size(); ++i) {
        const int v = layer[left ? i : layer.size() - 1 - i];
        const auto& neighbours = down ? above_[Index(v)] : below_[Index(v)];
        if (neighbours.empty()) continue;
        const size_t d = neighbours.size();
        size_t low = (d - 1) / 2, high = d / 2;
        if (!left) std::swap(low, high);
        for (const size_t m : {low, high}) {
          const int u = neighbours[m];
          if (next[Index(v)] != v || place(u) <= taken) continue;
          if (conflicts_.count(down ? std::make_pair(u, v) : std::make_pair(v, u)) > 0) continue;
          next[Index(u)] = v;
          root[Index(v)] = root[Index(u)];
          next[Index(v)] = root[Index(v)];
          taken = place(u);
        }
      }
    }
    return Compact(root, left);
  }

  double Distance(int u, int v) const {
    const LayerItem &a = items_[Index(u)], &b = items_[Index(v)];
    return (a.width + b.width) / 2 + (a.is_track && b.is_track ? spacing_.track_gap : spacing_.node_gap);
  }

  // Blocks as far to the left as their neighbours allow, then back to the right as far as nothing moves apart.
  std::vector<double> Compact(const std::vector<int>& root, bool left) const {
    const size_t n = items_.size();
    std::vector<std::vector<std::pair<int, double>>> right_of(n);
    std::vector<int> waiting(n, 0);
    std::vector<bool> present(n, false);
    for (const auto& layer : layers_) {
      for (size_t i = 0; i < layer.size(); ++i) {
        const int v = layer[left ? i : layer.size() - 1 - i];
        present[Index(root[Index(v)])] = true;
        if (i == 0) continue;
        const int u = layer[left ? i - 1 : layer.size() - i];
        right_of[Index(root[Index(u)])].emplace_back(root[Index(v)], Distance(u, v));
        ++waiting[Index(root[Index(v)])];
      }
    }
    std::vector<int> order;
    for (size_t i = 0; i < n; ++i) {
      if (present[i] && waiting[i] == 0) order.push_back(static_cast<int>(i));
    }
    std::vector<double> x(n, 0);
    for (size_t done = 0; done < order.size(); ++done) {
      const int u = order[done];
      for (const auto& [v, distance] : right_of[Index(u)]) {
        x[Index(v)] = std::max(x[Index(v)], x[Index(u)] + distance);
        if (--waiting[Index(v)] == 0) order.push_back(v);
      }
    }
    for (size_t k = order.size(); k-- > 0;) {
      const int u = order[k];
      double limit = kInfinity;
      for (const auto& [v, distance] : right_of[Index(u)]) limit = std::min(limit, x[Index(v)] - distance);
      if (limit < kInfinity) x[Index(u)] = std::max(x[Index(u)], limit);
    }
    std::vector<double> result(n, 0);
    for (const auto& layer : layers_) {
      for (const int v : layer) result[Index(v)] = (left ? 1 : -1) * x[Index(root[Index(v)])];
    }
    return result;
  }

  // The four are set beside the narrowest; each item gets the middle of its two middle places.
  std::vector<double> Balance(std::array<std::vector<double>, 4>& four) const {
    std::array<double, 4> low{}, high{};
    size_t narrowest = 0;
    for (size_t k = 0; k < 4; ++k) {
      low[k] = kInfinity, high[k] = -kInfinity;
      for (const auto& layer : layers_) {
        for (const int v : layer) {
          low[k] = std::min(low[k], four[k][Index(v)] - items_[Index(v)].width / 2);
          high[k] = std::max(high[k], four[k][Index(v)] + items_[Index(v)].width / 2);
        }
      }
      if (high[k] - low[k] < high[narrowest] - low[narrowest]) narrowest = k;
    }
    for (size_t k = 0; k < 4; ++k) {
      const bool left = k % 2 == 0;
      const double shift = left ? low[narrowest] - low[k] : high[narrowest] - high[k];
      for (double& x : four[k]) x += shift;
    }
    std::vector<double> result(items_.size(), 0);
    double least = kInfinity;
    for (const auto& layer : layers_) {
      for (const int v : layer) {
        std::array<double, 4> x = {four[0][Index(v)], four[1][Index(v)], four[2][Index(v)], four[3][Index(v)]};
        std::sort(x.begin(), x.end());
        result[Index(v)] = (x[1] + x[2]) / 2;
        least = std::min(least, result[Index(v)] - items_[Index(v)].width / 2);
      }
    }
    for (const auto& layer : layers_) {
      for (const int v : layer) result[Index(v)] -= least;
    }
    return result;
  }

  const Layers& layers_;
  const std::vector<LayerItem>& items_;
  LayerSpacing spacing_;
  std::vector<std::vector<int>> above_, below_;
  std::vector<int> place_;
  Pairs conflicts_;
};

}  // namespace

std::vector<double> LayerCoordinates(const std::vector<std::vector<int>>& layers, const std::vector<LayerItem>& items,
                                     const LayerSpacing& spacing) {
  return Coordinates(layers, items, spacing).Solve();
}

}  // namespace assay::report
