#include "report/graph_layout.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/random.h"

namespace assay::report {
namespace {

LayoutInput Chain(int n) {
  LayoutInput input;
  for (int i = 0; i < n; ++i) {
    input.nodes.push_back({.width = 150, .height = 50, .ports = 1});
    if (i + 1 < n) input.nets.push_back({i, 0, {i + 1}});
  }
  return input;
}

// Boxes do not overlap, edges start and end at their boxes, everything is on the page.
void CheckDrawing(const LayoutInput& input, const LayoutResult& result) {
  ASSERT_EQ(result.nodes.size(), input.nodes.size());
  for (size_t i = 0; i < input.nodes.size(); ++i) {
    const Point a = result.nodes[i];
    EXPECT_GE(a.x, -1e-6);
    EXPECT_GE(a.y, -1e-6);
    EXPECT_LE(a.x + input.nodes[i].width, result.width + 1e-6);
    EXPECT_LE(a.y + input.nodes[i].height, result.height + 1e-6);
    for (size_t j = 0; j < i; ++j) {
      const Point b = result.nodes[j];
      const bool apart = a.x + input.nodes[i].width <= b.x + 1e-6 || b.x + input.nodes[j].width <= a.x + 1e-6 ||
                         a.y + input.nodes[i].height <= b.y + 1e-6 || b.y + input.nodes[j].height <= a.y + 1e-6;
      EXPECT_TRUE(apart) << "boxes " << i << " and " << j;
    }
  }
  size_t readers = 0, ends = 0;
  for (const LayoutNet& net : input.nets) readers += net.to.size();
  for (const int k : result.omitted) readers -= input.nets[static_cast<size_t>(k)].to.size();
  for (const LayoutPath& path : result.paths) {
    if (path.to < 0) continue;
    ++ends;
    const LayoutNode& node = input.nodes[static_cast<size_t>(path.to)];
    const Point corner = result.nodes[static_cast<size_t>(path.to)], end = path.points.back();
    EXPECT_NEAR(end.y, corner.y, 1e-6);
    EXPECT_GE(end.x, corner.x);
    EXPECT_LE(end.x, corner.x + node.width);
  }
  EXPECT_EQ(ends, readers);
}

TEST(GraphLayoutTest, AChainIsStraight) {
  const LayoutInput input = Chain(5);
  const LayoutResult result = LayOutGraph(input);
  CheckDrawing(input, result);
  EXPECT_EQ(result.columns, 1);
  for (size_t i = 1; i < 5; ++i) {
    EXPECT_EQ(result.nodes[i].x, result.nodes[0].x);
    EXPECT_GT(result.nodes[i].y, result.nodes[i - 1].y + 50);
  }
}

TEST(GraphLayoutTest, ABranchThatSkipsLayersRunsBesideThem) {
  LayoutInput input = Chain(5);
  input.nets[0].to = {1, 4};
  const LayoutResult result = LayOutGraph(input);
  CheckDrawing(input, result);
  // The three boxes between stay in line, and no piece of the branch runs through them.
  EXPECT_EQ(result.nodes[1].x, result.nodes[3].x);
  for (const LayoutPath& path : result.paths) {
    if (path.net != 0 || path.to == 1) continue;
    for (const Point& point : path.points) {
      for (size_t v = 1; v <= 3; ++v) {
        EXPECT_FALSE(point.x > result.nodes[v].x && point.x < result.nodes[v].x + 150 && point.y > result.nodes[v].y &&
                     point.y < result.nodes[v].y + 50);
      }
    }
  }
}

TEST(GraphLayoutTest, ParallelBranchesDoNotCross) {
  // Two chains whose ends are named in the opposite order.
  LayoutInput input;
  for (int i = 0; i < 6; ++i) input.nodes.push_back({.width = 100, .height = 40, .ports = 1});
  input.nets = {{0, 0, {1, 2}}, {1, 0, {4}}, {2, 0, {3}}, {3, 0, {5}}, {4, 0, {5}}};
  const LayoutResult result = LayOutGraph(input);
  CheckDrawing(input, result);
  EXPECT_EQ(result.nodes[1].x < result.nodes[2].x, result.nodes[4].x < result.nodes[3].x);
}

TEST(GraphLayoutTest, WhatReadsNothingStandsAboveItsReader) {
  LayoutInput input = Chain(6);
  input.nodes.push_back({.width = 80, .height = 30, .ports = 1});  // numbered last, so it is read by none of the others
  input.nodes.push_back({.width = 80, .height = 30, .ports = 1});
  input.nets.push_back({6, 0, {7}});
  input.nets.push_back({5, 0, {7}});
  const LayoutResult result = LayOutGraph(input);
  CheckDrawing(input, result);
  EXPECT_GT(result.nodes[6].y, result.nodes[4].y);
  EXPECT_LT(result.nodes[6].y, result.nodes[7].y);
}

TEST(GraphLayoutTest, LongGraphsTurnIntoColumns) {
  LayoutInput input = Chain(300);
  for (int i = 2; i + 4 < 300; i += 4) input.nets[static_cast<size_t>(i)].to.push_back(i + 4);  // residual branches
  const LayoutResult result = LayOutGraph(input);
  CheckDrawing(input, result);
  EXPECT_GT(result.columns, 3);
  EXPECT_GT(result.width, result.height / 2);
  EXPECT_LT(result.width, result.height * 3);
  const auto turns =
      std::count_if(result.paths.begin(), result.paths.end(), [](const LayoutPath& path) { return path.turns_column; });
  EXPECT_GE(turns, result.columns - 1);
  LayoutOptions one_column;
  one_column.allow_columns = false;
  EXPECT_EQ(LayOutGraph(input, one_column).columns, 1);
}

TEST(GraphLayoutTest, PortsAreSpreadOverTheBox) {
  const LayoutNode node = {.width = 120, .height = 40, .ports = 3};
  EXPECT_EQ(PortOffset(node, 0), 20);
  EXPECT_EQ(PortOffset(node, 2), 100);
}

TEST(GraphLayoutTest, RandomGraphsAreDrawnSoundly) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    Random random(seed);
    LayoutInput input;
    const int n = 2 + static_cast<int>(random.Below(60));
    for (int i = 0; i < n; ++i) {
      const int ports = 1 + static_cast<int>(random.Below(2));
      input.nodes.push_back({.width = 40.0 + static_cast<double>(random.Below(160)),
                             .height = 20.0 + static_cast<double>(random.Below(50)),
                             .ports = ports});
      for (int port = 0; port < ports && i + 1 < n; ++port) {
        LayoutNet net = {i, port, {}};
        for (uint64_t k = random.Below(4); k > 0; --k) {
          const int to = i + 1 + static_cast<int>(random.Below(static_cast<uint64_t>(std::min(n - i - 1, 12))));
          if (std::find(net.to.begin(), net.to.end(), to) == net.to.end()) net.to.push_back(to);
        }
        if (!net.to.empty()) input.nets.push_back(net);
      }
    }
    const LayoutResult result = LayOutGraph(input);
    CheckDrawing(input, result);
    EXPECT_TRUE(result.omitted.empty());
  }
}

TEST(GraphLayoutTest, TooManyLongEdgesAreLeftOutAndSaid) {
  LayoutInput input = Chain(400);
  for (int i = 0; i < 200; ++i) input.nets[static_cast<size_t>(i)].to.push_back(399);
  LayoutOptions options;
  options.max_tracks = 2000;
  const LayoutResult result = LayOutGraph(input, options);
  CheckDrawing(input, result);
  EXPECT_FALSE(result.omitted.empty());
  EXPECT_TRUE(LayOutGraph({}).nodes.empty());
}

}  // namespace
}  // namespace assay::report
