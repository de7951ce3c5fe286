// Rows of a small comma-separated file: fields trimmed, double quotes with "" inside, empty lines passed over.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace assay::data {

struct CsvRow {
  int64_t line = 0;
  std::vector<std::string> fields;
};

std::vector<CsvRow> ReadCsv(const std::string& path);

// The field as an integer. Throws InputError naming path, line and text.
int64_t CsvInteger(const std::string& path, const CsvRow& row, size_t field);

}  // namespace assay::data
