// Places a directed acyclic graph on the page: layers from top to bottom, edges that skip layers beside them, few
// crossings, straight long edges; a long graph goes on in further columns. The method is Sugiyama's, with the
// coordinates of Brandes and Köpf ("Fast and simple horizontal coordinate assignment", 2001).
// Knows sizes and edges alone, nothing of what the boxes mean.
#pragma once

#include <cstddef>
#include <vector>

namespace assay::report {

struct Point {
  double x = 0, y = 0;
};

struct LayoutNode {
  double width = 0, height = 0;
  int ports = 1;  // outgoing edges leave from so many places along its lower side
};

// From one port of a node to all who read it.
struct LayoutNet {
  int from = 0, port = 0;
  std::vector<int> to;  // each greater than `from`; once each
};

struct LayoutInput {
  std::vector<LayoutNode> nodes;  // in an order in which every edge goes forward
  std::vector<LayoutNet> nets;
};

struct LayoutOptions {
  double layer_gap = 46;       // between the layers, where the edges bend
  double node_gap = 26;        // between neighbours in a layer
  double track_gap = 14;       // between edges that run side by side
  double column_gap = 60;      // between columns
  double aspect = 1.4;         // width : height that columns aim at
  double tall = 1500;          // lower graphs stay in one column
  size_t max_tracks = 40'000;  // places where edges pass a layer; the longest nets are left out beyond that
  bool allow_columns = true;
};

// One piece of an edge, from a box or a bend to the next; pieces shared by several readers occur once.
struct LayoutPath {
  int net = 0;
  int to = -1;                // the node that it enters, or -1
  bool turns_column = false;  // goes on at the top of the next column
  std::vector<Point> points;  // between two points that differ in both coordinates it bends, else it is straight
};

struct LayoutResult {
  std::vector<Point> nodes;  // upper left corners
  std::vector<LayoutPath> paths;
  std::vector<int> omitted;  // nets that were left out, too long to draw
  double width = 0, height = 0;
  int columns = 1;
};

// Where the edges of a port leave: x from the node's left side.
double PortOffset(const LayoutNode& node, int port);

LayoutResult LayOutGraph(const LayoutInput& input, const LayoutOptions& options = {});

}  // namespace assay::report
