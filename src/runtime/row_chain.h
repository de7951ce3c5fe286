// Neighbouring ops that run by turns, some rows of the last one's output at a time: what lies between them is written
// and read while it is in cache, and never exists as a whole. Every op computes each of its rows once (and again, where
// threads share the work, the few that two parts need).
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "ops/op.h"

namespace assay::runtime {

class RowChain {
 public:
  static constexpr int kOutside = -1;
  struct Member {
    size_t step;
    ops::RowWindow window;
    std::vector<int> inputs;  // per operand: the member that makes it, or kOutside
    int64_t height;           // rows of an image of the output
    uint64_t row_bytes;
  };

  // Of at least two members, each but the last of which a later one reads. `images`: how many all tensors have.
  // Invalid where the last output has very many rows, or the rows between them, for one of it at a time, take too much
  // memory.
  RowChain(std::vector<Member> members, int64_t images);
  bool is_valid() const { return lines_ > 0; }

  const std::vector<Member>& members() const { return members_; }
  size_t first_step() const { return members_.front().step; }
  size_t last_step() const { return members_.back().step; }
  uint64_t buffer_bytes() const { return buffer_bytes_; }  // of one worker
  int64_t lines() const { return lines_; }                 // of the last output at a time

  // Computes rows [part.first, part.last) of member `m`, of part.whole of all images. data[i] is where row 0 of member
  // i's output would be; that of the last member is null.
  using RunRows = std::function<void(size_t m, const ops::RunContext::Part& part, const std::vector<uint8_t*>& data)>;
  // Rows [begin, end) of the last output, of all images counted through.
  void Run(int64_t begin, int64_t end, int worker, uint8_t* buffer, const RunRows& run) const;

 private:
  struct Rows {
    int64_t begin, end;
  };
  struct Kept {
    bool any;
    int64_t begin, end;  // what the buffer holds
  };
  void AddNeeded(size_t consumer, const Rows& rows, std::vector<Rows>& needed) const;
  std::vector<int64_t> Capacities(int64_t lines) const;
  uint64_t BytesFor(const std::vector<int64_t>& capacities) const;

  std::vector<Member> members_;
  int64_t images_, lines_ = 0;
  std::vector<uint64_t> offsets_;  // of the members' buffers
  uint64_t buffer_bytes_ = 0;
};

}  // namespace assay::runtime
