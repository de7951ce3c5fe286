// Products of matrices, and Einstein's sums as those.
#include <algorithm>
#include <numeric>

#include "format/savedmodel/node_call.h"

namespace assay::savedmodel {
namespace {

using graph::kNoTensor;

std::vector<int32_t> SwapLast(int rank) {
  std::vector<int32_t> permutation(static_cast<size_t>(rank));
  std::iota(permutation.begin(), permutation.end(), 0);
  std::swap(permutation[static_cast<size_t>(rank - 1)], permutation[static_cast<size_t>(rank - 2)]);
  return permutation;
}

// a [..., k] times a constant b [k, n] (or [n, k]) is FULLY_CONNECTED; anything else BATCH_MATMUL.
Id Multiply(Call& c, const std::string& name, Id a, Id b, bool transpose_a, bool transpose_b) {
  GraphBuilder& g = c.g;
  if (g.rank(a) < 2 || g.rank(b) < 2) throw InputError("it multiplies {} and {} dimensions", g.rank(a), g.rank(b));
  const bool are_floats = g.info(a).dtype == DType::kFloat32 && g.info(b).dtype == DType::kFloat32;
  if (g.info(b).data.has_value() && g.rank(b) == 2 && are_floats) {
    if (transpose_a) a = g.Transpose(name + "/a", a, SwapLast(g.rank(a)));
    const Id weights = transpose_b ? b : g.Transpose(name + "/weights", b, {1, 0});
    return g.FullyConnected(name, a, weights, kNoTensor);
  }
  return g.BatchMatMul(name, a, b, transpose_a, transpose_b);
}

void MatMul(Call& c) {
  c.Return(Multiply(c, c.name, c.In(0), c.In(1), c.Bool("transpose_a", false), c.Bool("transpose_b", false)));
}

void BatchMatMul(Call& c) {
  c.Return(Multiply(c, c.name, c.In(0), c.In(1), c.Bool("adj_x", false), c.Bool("adj_y", false)));
}

// ---- Einsum: "abc,cd->abd"
struct Side {
  std::string labels;
  Id id = kNoTensor;
};

// Letters for the dimensions that "..." stands for, counted from the back; capitals beyond what equations use.
std::string Expand(const std::string& labels, int rank) {
  const size_t dots = labels.find("...");
  if (dots == std::string::npos) return labels;
  const int rest = rank - static_cast<int>(labels.size() - 3);
  if (rest < 0 || rest > 10)
    throw InputError("the equation gives {} labels for {} dimensions", labels.size() - 3, rank);
  std::string expanded = labels.substr(0, dots);
  for (int i = rest; i > 0; --i) expanded += static_cast<char>('0' + i - 1);
  return expanded + labels.substr(dots + 3);
}

// The tensor with its dimensions in the order of `wanted`.
Id Permuted(Call& c, const std::string& name, const Side& side, const std::string& wanted) {
  std::vector<int32_t> permutation;
  bool moves = false;
  for (size_t i = 0; i < wanted.size(); ++i) {
    permutation.push_back(static_cast<int32_t>(side.labels.find(wanted[i])));
    moves |= permutation.back() != static_cast<int32_t>(i);
  }
  return moves ? c.g.Transpose(name, side.id, permutation) : side.id;
}

void Einsum(Call& c) {
  GraphBuilder& g = c.g;
  std::string equation = c.Text("equation", "");
  std::erase(equation, ' ');
  const size_t arrow = equation.find("->"), comma = equation.find(',');
  if (arrow == std::string::npos) throw InputError("its equation is '{}'", equation);
  if (c.size() > 2 || (c.size() == 2) != (comma != std::string::npos) ||
      equation.find(',', comma + 1) != std::string::npos) {
    throw Unsupported{"the equation " + equation};
  }
  std::string out = equation.substr(arrow + 2);
  if (c.size() == 1) {
    const Side x{Expand(equation.substr(0, arrow), g.rank(c.In(0))), c.In(0)};
    out = Expand(out, static_cast<int>(x.labels.size()));
    if (out.size() != x.labels.size()) throw Unsupported{"the equation " + equation};
    for (const char label : out) {
      if (std::count(x.labels.begin(), x.labels.end(), label) != 1 || static_cast<int>(out.size()) != g.rank(x.id)) {
        throw Unsupported{"the equation " + equation};
      }
    }
    return c.Return(Permuted(c, c.name, x, out));
  }
  Side a{Expand(equation.substr(0, comma), g.rank(c.In(0))), c.In(0)};
  Side b{Expand(equation.substr(comma + 1, arrow - comma - 1), g.rank(c.In(1))), c.In(1)};
  const size_t dots = out.find("...");
  if (dots != std::string::npos) {
    std::string all;
    for (int i = 9; i >= 0; --i) {
      const char label = static_cast<char>('0' + i);
      if ((a.labels + b.labels).find(label) != std::string::npos) all += label;
    }
    out = out.substr(0, dots) + all + out.substr(dots + 3);
  }
  for (const Side* side : {&a, &b}) {
    if (static_cast<int>(side->labels.size()) != g.rank(side->id)) {
      throw InputError("its equation is '{}' for {} and {} dimensions", equation, g.rank(a.id), g.rank(b.id));
    }
    for (const char label : side->labels) {
      if (std::count(side->labels.begin(), side->labels.end(), label) > 1)
        throw Unsupported{"the equation " + equation};
    }
  }
  for (const char label : out) {
    if (std::count(out.begin(), out.end(), label) > 1 || (a.labels + b.labels).find(label) == std::string::npos) {
      throw InputError("its equation is '{}'", equation);
    }
  }
  const auto has = [](const std::string& labels, char label) { return labels.find(label) != std::string::npos; };
  // Batch: in all three. Summed: in both operands only. Free: in one operand and the result.
  std::string batch, summed, free_a, free_b;
  for (const char label : a.labels) {
    if (has(b.labels, label)) {
      (has(out, label) ? batch : summed) += label;
    } else {
      if (!has(out, label)) throw Unsupported{"the equation " + equation};
      free_a += label;
    }
  }
  for (const char label : b.labels) {
    if (has(a.labels, label)) continue;
    if (!has(out, label)) throw Unsupported{"the equation " + equation};
    free_b += label;
  }
  const auto dim = [&](char label) -> int32_t {
    const Side& side = has(a.labels, label) ? a : b;
    return g.Dims(side.id)[side.labels.find(label)];
  };
  const auto product = [&](const std::string& labels) -> int32_t {
    int64_t size = 1;
    for (const char label : labels) {
      if (dim(label) < 0) return -1;
      size *= dim(label);
      if (size > INT32_MAX) throw InputError("its dimensions are too large");
    }
    return static_cast<int32_t>(size);
  };
  const auto dims_of = [&](const std::string& labels) {
    std::vector<int32_t> dims;
    for (const char label : labels) dims.push_back(dim(label));
    return dims;
  };
  const auto grouped = [&](const Side& side, const std::string& first, const std::string& second, const char* name) {
    const Id moved = Permuted(c, c.name + name, side, batch + first + second);
    std::vector<int32_t> dims = dims_of(batch);
    dims.push_back(product(first)), dims.push_back(product(second));
    return first.size() == 1 && second.size() == 1 ? moved : ReshapeTo(c, c.name + name + "/reshape", moved, dims);
  };
  Id y;
  if (batch.empty() && g.info(b.id).data.has_value() && g.info(b.id).dtype == DType::kFloat32) {
    // A dense layer keeps the free dimensions in front as they are.
    Id left = Permuted(c, c.name + "/a", a, free_a + summed);
    if (summed.size() != 1) {
      std::vector<int32_t> dims = dims_of(free_a);
      dims.push_back(product(summed));
      left = ReshapeTo(c, c.name + "/a/reshape", left, dims);
    }
    if (g.rank(left) < 2) left = ReshapeTo(c, c.name + "/a/row", left, {1, product(summed)});
    const Id right = grouped(b, summed, free_b, "/b");
    y = Multiply(c, c.name, left, right, false, false);
  } else {
    y = Multiply(c, c.name, grouped(a, free_a, summed, "/a"), grouped(b, summed, free_b, "/b"), false, false);
  }
  const std::string natural = batch + free_a + free_b;
  const std::vector<int32_t> dims = dims_of(natural);
  if (g.Dims(y) != dims) y = ReshapeTo(c, c.name + "/result", y, dims);
  c.Return(Permuted(c, c.name + "/transpose", {natural, y}, out));
}

constexpr OpRow kMatrixRows[] = {
    {"MatMul", MatMul}, {"BatchMatMul", BatchMatMul}, {"BatchMatMulV2", BatchMatMul}, {"BatchMatMulV3", BatchMatMul},
    {"Einsum", Einsum},
};

}  // namespace

std::span<const OpRow> MatrixOps() { return kMatrixRows; }

}  // namespace assay::savedmodel
