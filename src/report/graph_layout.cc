#include "report/graph_layout.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <utility>

#include "report/layer_coordinates.h"

namespace assay::report {
namespace {

constexpr int kSweeps = 12;
constexpr size_t kMaxCutNets = 3;                                  // edges that go on from one column to the next
constexpr double kWide = 150, kWideGap = 0.08, kMostWideGap = 50;  // more distance below edges that go far aside
constexpr double kTurnStep = 12;                                   // between edges that turn into the next column
constexpr double kPortDistance = 13;                               // between edges that enter one box
constexpr double kPortMargin = 14;                                 // from the corner of a box

size_t Index(int i) { return static_cast<size_t>(i); }

// Items are the nodes, by their own numbers, and after them the tracks: places where a net passes a layer.
class Layout {
 public:
  Layout(const LayoutInput& input, const LayoutOptions& options) : input_(input), options_(options) {}

  LayoutResult Run() {
    if (input_.nodes.empty()) return result_;
    Rank();
    OmitLongNets();
    MakeItems();
    InitialOrder();
    Untangle();
    CutColumns();
    PlaceLayers();
    DrawPaths();
    return std::move(result_);
  }

 private:
  struct Edge {
    int net = 0, above = 0, below = 0;  // items
  };

  // Every node below all that it reads; what reads nothing stands right above its first reader.
  void Rank() {
    const size_t n = input_.nodes.size();
    rank_.assign(n, 0);
    std::vector<std::vector<int>> nets_of(n);
    std::vector<bool> reads(n, false);
    for (size_t k = 0; k < input_.nets.size(); ++k) nets_of[Index(input_.nets[k].from)].push_back(static_cast<int>(k));
    for (size_t v = 0; v < n; ++v) {
      for (const int k : nets_of[v]) {
        for (const int to : input_.nets[Index(k)].to) {
          rank_[Index(to)] = std::max(rank_[Index(to)], rank_[v] + 1);
          reads[Index(to)] = true;
        }
      }
    }
    for (size_t v = 0; v < n; ++v) {
      int first = std::numeric_limits<int>::max();
      for (const int k : nets_of[v]) {
        for (const int to : input_.nets[Index(k)].to) first = std::min(first, rank_[Index(to)]);
      }
      if (!reads[v] && first < std::numeric_limits<int>::max()) rank_[v] = first - 1;
    }
  }

  int LastReader(const LayoutNet& net) const {
    int last = rank_[Index(net.from)];
    for (const int to : net.to) last = std::max(last, rank_[Index(to)]);
    return last;
  }

  void OmitLongNets() {
    std::vector<int> order(input_.nets.size());
    std::iota(order.begin(), order.end(), 0);
    const auto cost = [&](int k) {
      const LayoutNet& net = input_.nets[Index(k)];
      return static_cast<size_t>(LastReader(net) - rank_[Index(net.from)]) + net.to.size();
    };
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return cost(a) < cost(b); });
    size_t total = 0;
    is_drawn_.assign(input_.nets.size(), false);
    for (const int k : order) {
      total += cost(k);
      if (total > options_.max_tracks) {
        result_.omitted.push_back(k);
      } else {
        is_drawn_[Index(k)] = true;
      }
    }
    std::sort(result_.omitted.begin(), result_.omitted.end());
  }

  void MakeItems() {
    for (size_t v = 0; v < input_.nodes.size(); ++v) {
      items_.push_back({.width = input_.nodes[v].width, .is_track = false, .above = {}});
      layer_of_.push_back(rank_[v]);
    }
    const auto join = [&](int net, int above, int below) {
      edges_.push_back({net, above, below});
      items_[Index(below)].above.push_back(above);
    };
    for (size_t k = 0; k < input_.nets.size(); ++k) {
      if (!is_drawn_[k]) continue;
      const LayoutNet& net = input_.nets[k];
      const int first = rank_[Index(net.from)], last = LastReader(net);
      std::vector<int> chain = {net.from};  // the item of each layer from `first` on
      for (int r = first + 1; r < last; ++r) {
        const auto track = static_cast<int>(items_.size());
        items_.push_back({.width = 2, .is_track = true, .above = {}});
        layer_of_.push_back(r);
        join(static_cast<int>(k), chain.back(), track);
        chain.push_back(track);
      }
      for (const int to : net.to) join(static_cast<int>(k), chain[Index(rank_[Index(to)] - 1 - first)], to);
    }
    below_.resize(items_.size());
    for (const Edge& edge : edges_) below_[Index(edge.above)].push_back(edge.below);
    layers_.resize(Index(*std::max_element(layer_of_.begin(), layer_of_.end())) + 1);
    place_.assign(items_.size(), 0);
  }

  // Depth first, so that what hangs together starts side by side.
  void InitialOrder() {
    std::vector<bool> seen(items_.size(), false);
    std::vector<int> stack;
    for (size_t v = 0; v < input_.nodes.size(); ++v) {
      stack.push_back(static_cast<int>(v));
      while (!stack.empty()) {
        const int u = stack.back();
        stack.pop_back();
        if (seen[Index(u)]) continue;
        seen[Index(u)] = true;
        layers_[Index(layer_of_[Index(u)])].push_back(u);
        for (auto it = below_[Index(u)].rbegin(); it != below_[Index(u)].rend(); ++it) stack.push_back(*it);
      }
    }
    SetPlaces();
  }

  void SetPlaces() {
    for (const auto& layer : layers_) {
      for (size_t i = 0; i < layer.size(); ++i) place_[Index(layer[i])] = static_cast<int>(i);
    }
  }

  // Crossings between a layer and the next, counted with a binary indexed tree.
  int64_t Crossings() const {
    int64_t count = 0;
    for (size_t r = 0; r + 1 < layers_.size(); ++r) {
      std::vector<int> ends;
      for (const int u : layers_[r]) {
        std::vector<int> own;
        for (const int v : below_[Index(u)]) own.push_back(place_[Index(v)]);
        std::sort(own.begin(), own.end());
        ends.insert(ends.end(), own.begin(), own.end());
      }
      std::vector<int> tree(layers_[r + 1].size() + 1, 0);
      int64_t seen = 0;
      for (const int end : ends) {
        int64_t not_after = 0;
        for (size_t i = Index(end) + 1; i > 0; i -= i & (~i + 1)) not_after += tree[i];
        count += seen - not_after;
        ++seen;
        for (size_t i = Index(end) + 1; i < tree.size(); i += i & (~i + 1)) ++tree[i];
      }
    }
    return count;
  }

  void SortLayer(size_t r, bool downwards) {
    std::vector<std::pair<double, int>> keys;
    for (const int v : layers_[r]) {
      const auto& neighbours = downwards ? items_[Index(v)].above : below_[Index(v)];
      double sum = 0;
      for (const int u : neighbours) sum += place_[Index(u)];
      const double own = place_[Index(v)];
      keys.emplace_back(neighbours.empty() ? own : sum / static_cast<double>(neighbours.size()), v);
    }
    std::stable_sort(keys.begin(), keys.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    for (size_t i = 0; i < keys.size(); ++i) {
      layers_[r][i] = keys[i].second;
      place_[Index(keys[i].second)] = static_cast<int>(i);
    }
  }

  void Untangle() {
    auto best = layers_;
    int64_t fewest = Crossings();
    for (int sweep = 0; sweep < kSweeps && fewest > 0; ++sweep) {
      if (sweep % 2 == 0) {
        for (size_t r = 1; r < layers_.size(); ++r) SortLayer(r, true);
      } else {
        for (size_t r = layers_.size() - 1; r-- > 0;) SortLayer(r, false);
      }
      const int64_t crossings = Crossings();
      if (crossings >= fewest) continue;
      fewest = crossings;
      best = layers_;
    }
    layers_ = std::move(best);
    SetPlaces();
  }

  double LayerHeight(size_t r) const {
    double height = 0;
    for (const int v : layers_[r]) {
      if (!items_[Index(v)].is_track) height = std::max(height, input_.nodes[Index(v)].height);
    }
    return height;
  }

  double LayerWidth(size_t r) const {
    double width = -options_.node_gap;
    for (const int v : layers_[r]) {
      width += items_[Index(v)].width + (items_[Index(v)].is_track ? options_.track_gap : options_.node_gap);
    }
    return std::max(0.0, width);
  }

  // first_layer_: where each column starts. Columns are cut where few edges pass.
  void CutColumns() {
    first_layer_ = {0};
    double width = 0;
    std::vector<double> end;  // of each layer, in one long column
    double height = 0;
    for (size_t r = 0; r < layers_.size(); ++r) {
      width = std::max(width, LayerWidth(r));
      height += LayerHeight(r) + options_.layer_gap;
      end.push_back(height);
    }
    if (!options_.allow_columns || height <= options_.tall) return;
    const double columns = std::sqrt(options_.aspect * height / (width + options_.column_gap));
    if (columns < 1.5) return;
    const double aim = std::max(height / std::round(columns), options_.tall / 2);
    std::vector<size_t> passing(layers_.size(), 0);  // nets between layer r - 1 and r
    for (size_t k = 0; k < input_.nets.size(); ++k) {
      if (!is_drawn_[k]) continue;
      const int from = rank_[Index(input_.nets[k].from)], last = LastReader(input_.nets[k]);
      for (int r = from + 1; r <= last; ++r) ++passing[Index(r)];
    }
    double start = 0;
    while (height - start > 1.3 * aim) {
      size_t best = 0;
      double least = std::numeric_limits<double>::infinity();
      for (size_t r = first_layer_.back() + 1; r < layers_.size(); ++r) {
        const double own = end[r - 1] - start;
        if (own < 0.6 * aim || passing[r] == 0 || passing[r] > kMaxCutNets) continue;
        if (own > 1.3 * aim && best > 0) break;
        // An edge more weighs as much as a quarter of a column.
        const double penalty = 0.25 * static_cast<double>(passing[r]) + std::abs(own / aim - 1);
        if (penalty < least) least = penalty, best = r;
      }
      if (best == 0) break;
      first_layer_.push_back(best);
      start = end[best - 1];
    }
  }

  size_t ColumnEnd(size_t column) const {
    return column + 1 < first_layer_.size() ? first_layer_[column + 1] : layers_.size();
  }

  // What edges that go far to the side need below a layer, so that they do not run flat.
  double WideGap(const std::vector<int>& layer, const std::vector<double>& x) const {
    double widest = 0;
    for (const int u : layer) {
      for (const int v : below_[Index(u)]) {
        if (ColumnOf(Index(layer_of_[Index(u)])) != ColumnOf(Index(layer_of_[Index(v)]))) continue;
        widest = std::max(widest, std::abs(x[Index(v)] - x[Index(u)]));
      }
    }
    return widest < kWide ? 0 : std::min(kMostWideGap, kWideGap * (widest - kWide));
  }

  void PlaceLayers() {
    x_.assign(items_.size(), 0);
    top_.assign(layers_.size(), 0);
    bottom_.assign(layers_.size(), 0);
    result_.nodes.resize(input_.nodes.size());
    result_.columns = static_cast<int>(first_layer_.size());
    const bool turns = first_layer_.size() > 1;
    double left = 0;
    for (size_t c = 0; c < first_layer_.size(); ++c) {
      std::vector<std::vector<int>> own(layers_.begin() + static_cast<std::ptrdiff_t>(first_layer_[c]),
                                        layers_.begin() + static_cast<std::ptrdiff_t>(ColumnEnd(c)));
      const std::vector<double> x = LayerCoordinates(own, items_, {options_.node_gap, options_.track_gap});
      double y = turns ? kTurnStep * (kMaxCutNets + 1) : 0, width = 0;
      for (size_t r = first_layer_[c]; r < ColumnEnd(c); ++r) {
        const double height = LayerHeight(r);
        top_[r] = y, bottom_[r] = y + height;
        y += height + options_.layer_gap + WideGap(layers_[r], x);
        for (const int v : layers_[r]) {
          x_[Index(v)] = left + x[Index(v)];
          width = std::max(width, x[Index(v)] + items_[Index(v)].width / 2);
          if (items_[Index(v)].is_track) continue;
          const LayoutNode& node = input_.nodes[Index(v)];
          result_.nodes[Index(v)] = {x_[Index(v)] - node.width / 2, top_[r] + (height - node.height) / 2};
        }
      }
      const double low = bottom_[ColumnEnd(c) - 1] + (c + 1 < first_layer_.size() ? kTurnStep * (kMaxCutNets + 1) : 0);
      result_.height = std::max(result_.height, low);
      column_right_.push_back(left + width);
      result_.width = left + width;
      left += width + options_.column_gap + kTurnStep * (kMaxCutNets - 1);
    }
  }

  double StartX(const Edge& edge) const {
    if (items_[Index(edge.above)].is_track) return x_[Index(edge.above)];
    return result_.nodes[Index(edge.above)].x +
           PortOffset(input_.nodes[Index(edge.above)], input_.nets[Index(edge.net)].port);
  }

  size_t ColumnOf(size_t layer) const {
    return static_cast<size_t>(std::upper_bound(first_layer_.begin(), first_layer_.end(), layer) -
                               first_layer_.begin()) -
           1;
  }

  // Where edges enter their boxes: as straight above as their distances allow.
  std::vector<double> EntryPlaces() const {
    std::vector<double> entry(edges_.size(), 0);
    std::vector<std::vector<size_t>> entering(input_.nodes.size());
    for (size_t e = 0; e < edges_.size(); ++e) {
      entry[e] = x_[Index(edges_[e].below)];
      if (!items_[Index(edges_[e].below)].is_track) entering[Index(edges_[e].below)].push_back(e);
    }
    for (size_t v = 0; v < entering.size(); ++v) {
      auto& own = entering[v];
      if (own.empty()) continue;
      const auto wanted = [&](size_t e) {
        // What comes from the column before arrives in the middle.
        return ColumnOf(Index(layer_of_[Index(edges_[e].above)])) == ColumnOf(Index(rank_[v])) ? StartX(edges_[e])
                                                                                               : x_[v];
      };
      std::stable_sort(own.begin(), own.end(), [&](size_t a, size_t b) { return wanted(a) < wanted(b); });
      const double margin = std::min(kPortMargin, input_.nodes[v].width / 2);
      const double left = result_.nodes[v].x + margin, right = result_.nodes[v].x + input_.nodes[v].width - margin;
      const double distance =
          own.size() < 2 ? 0 : std::min(kPortDistance, (right - left) / static_cast<double>(own.size() - 1));
      double least = left;
      for (const size_t e : own) {
        entry[e] = std::max(least, std::min(wanted(e), right));
        least = entry[e] + distance;
      }
      double most = right;
      for (size_t i = own.size(); i-- > 0;) {
        entry[own[i]] = std::min(entry[own[i]], most);
        most = entry[own[i]] - distance;
      }
    }
    return entry;
  }

  double StartY(int item) const {
    if (items_[Index(item)].is_track) return bottom_[Index(layer_of_[Index(item)])];
    return result_.nodes[Index(item)].y + input_.nodes[Index(item)].height;
  }

  void DrawPaths() {
    const std::vector<double> entry = EntryPlaces();
    std::vector<std::vector<size_t>> turning(first_layer_.size());
    for (size_t e = 0; e < edges_.size(); ++e) {
      const Edge& edge = edges_[e];
      const auto from = Index(layer_of_[Index(edge.above)]), to = Index(layer_of_[Index(edge.below)]);
      if (ColumnOf(from) != ColumnOf(to)) {
        turning[ColumnOf(from)].push_back(e);
        continue;
      }
      LayoutPath path = Piece(edge);
      path.points = {{StartX(edge), StartY(edge.above)},
                     {StartX(edge), bottom_[from]},
                     {entry[e], top_[to]},
                     {entry[e], EndY(edge.below)}};
      result_.paths.push_back(std::move(path));
    }
    for (size_t c = 0; c < turning.size(); ++c) DrawTurns(c, turning[c], entry);
  }

  LayoutPath Piece(const Edge& edge) const {
    LayoutPath path;
    path.net = edge.net;
    if (!items_[Index(edge.below)].is_track) path.to = edge.below;
    return path;
  }

  double EndY(int item) const {
    return items_[Index(item)].is_track ? bottom_[Index(layer_of_[Index(item)])] : result_.nodes[Index(item)].y;
  }

  // Down, through the gap between two columns, and in from above; the outer edge stays outside, so none cross.
  void DrawTurns(size_t column, std::vector<size_t>& edges, const std::vector<double>& entry) {
    std::stable_sort(edges.begin(), edges.end(), [&](size_t a, size_t b) {
      return std::make_pair(StartX(edges_[a]), entry[a]) < std::make_pair(StartX(edges_[b]), entry[b]);
    });
    // Several readers of one net share its way.
    std::vector<double> starts;
    for (const size_t e : edges) {
      if (starts.empty() || starts.back() != StartX(edges_[e])) starts.push_back(StartX(edges_[e]));
    }
    for (const size_t e : edges) {
      const Edge& edge = edges_[e];
      const double start = StartX(edge);
      const auto lane = static_cast<double>(std::find(starts.begin(), starts.end(), start) - starts.begin());
      const double outer = static_cast<double>(starts.size()) - 1 - lane;
      const size_t last = ColumnEnd(column) - 1;
      const double low = bottom_[last] + kTurnStep * (2 + outer);
      const double middle = column_right_[column] + options_.column_gap / 2 + kTurnStep * outer;
      const double high = top_[first_layer_[column + 1]] - kTurnStep * (2 + lane);
      LayoutPath path = Piece(edge);
      path.turns_column = true;
      path.points = {{start, StartY(edge.above)}, {start, low}, {middle, low}, {middle, high}, {entry[e], high},
                     {entry[e], EndY(edge.below)}};
      result_.paths.push_back(std::move(path));
    }
  }

  const LayoutInput& input_;
  LayoutOptions options_;
  LayoutResult result_;
  std::vector<int> rank_;       // by node
  std::vector<bool> is_drawn_;  // by net
  std::vector<LayerItem> items_;
  std::vector<int> layer_of_, place_;    // by item
  std::vector<std::vector<int>> below_;  // by item
  std::vector<Edge> edges_;
  std::vector<std::vector<int>> layers_;
  std::vector<size_t> first_layer_;  // by column
  std::vector<double> column_right_;
  std::vector<double> x_;             // the middle, by item
  std::vector<double> top_, bottom_;  // by layer
};

}  // namespace

double PortOffset(const LayoutNode& node, int port) {
  return node.width * (2.0 * port + 1) / (2.0 * std::max(1, node.ports));
}

LayoutResult LayOutGraph(const LayoutInput& input, const LayoutOptions& options) {
  return Layout(input, options).Run();
}

}  // namespace assay::report
