// SPDX-License-Identifier: Apache-2.0
#include "vigil/report/report_json.h"
